//! Welch's t-test on cropped samples.

/// Samples above these percentiles of all samples are cropped: interrupts say nothing about the code.
const CROPS: [f64; 9] = [0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 1.0];

/// How many samples to take, so that about this many a class are left after the sharpest crop.
pub(crate) fn to_take(samples: usize) -> usize {
    // Two classes, of which half is cropped; a tenth more because the classes are drawn by lot.
    samples * 4 + samples * 4 / 10
}

/// The largest |t| over all crops that leave so many samples in each class.
///
/// A crop that leaves fewer (the times of one class are nearly all above it) shows a difference that the next ones
/// show too. `None` where even without cropping there are too few.
pub(crate) fn largest_t(classes: &[Vec<u64>; 2], samples: usize) -> Option<f64> {
    let mut all = classes.concat();
    all.sort_unstable();
    let last = all.len().checked_sub(1)?;
    let t_at = |crop: f64| {
        let limit = all[(crop * last as f64) as usize];
        let [left, right] = classes.each_ref().map(|class| Moments::of(class, limit));
        (left.count.min(right.count) >= samples as f64).then(|| t(left, right).abs())
    };
    CROPS.into_iter().filter_map(t_at).reduce(f64::max)
}

#[derive(Clone, Copy)]
struct Moments {
    count: f64,
    mean: f64,
    variance: f64,
}

impl Moments {
    fn of(class: &[u64], limit: u64) -> Self {
        let kept = || class.iter().filter(|time| **time <= limit).map(|time| *time as f64);
        let count = kept().count() as f64;
        let mean = kept().sum::<f64>() / count;
        let variance = kept().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
        Self { count, mean, variance }
    }
}

fn t(left: Moments, right: Moments) -> f64 {
    (left.mean - right.mean) / (left.variance / left.count + right.variance / right.count).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Means 3 and 6, variances 2.5 and 10, five samples each: t = -3 / √(0.5 + 2).
    #[test]
    fn t_is_welchs() {
        let [left, right] = [[1, 2, 3, 4, 5], [2, 4, 6, 8, 10]].map(|class| Moments::of(&class, u64::MAX));
        assert!((t(left, right) + 3.0 / 2.5_f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn crops_that_leave_too_few_do_not_count() {
        let same = vec![7, 8, 9, 7, 8, 9, 7, 8, 9, 1_000];
        assert_eq!(largest_t(&[same.clone(), same.clone()], 5), Some(0.0));
        assert_eq!(largest_t(&[same.clone(), same], 11), None);
        assert_eq!(largest_t(&[Vec::new(), Vec::new()], 1), None);
    }
}
