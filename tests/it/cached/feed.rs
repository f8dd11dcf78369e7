//! Other processes' writes: quick while the feed is heard, and certain without it.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use async_trait::async_trait;
use keygate::{Cached, ChangeFeed, CredentialKey, Notice, StoreError};

use super::{Database, Ticks, asked, cached, find, is_revoked, peeks, ready, revoke, seconds};

/// A feed that tells what it is told, and is lost when it is told so.
#[derive(Clone, Default)]
pub(super) struct Feed(Arc<Mutex<Line>>);

#[derive(Default)]
pub(super) struct Line {
    told: VecDeque<Result<Notice, StoreError>>,
    subscriptions: usize,
    refuses: bool,
    waker: Option<Waker>,
}

impl Feed {
    pub(super) fn tell(&self, told: Result<Notice, StoreError>) {
        let mut line = self.0.lock().unwrap();
        line.told.push_back(told);
        line.waker.take().into_iter().for_each(Waker::wake);
    }
}

#[async_trait]
impl ChangeFeed for Feed {
    async fn subscribe(&mut self) -> Result<(), StoreError> {
        let mut line = self.0.lock().unwrap();
        line.subscriptions += 1;
        if line.refuses { Err(StoreError::unavailable("refused")) } else { Ok(()) }
    }

    async fn next(&mut self) -> Result<Notice, StoreError> {
        poll_fn(|context| {
            let mut line = self.0.lock().unwrap();
            line.waker = Some(context.waker().clone());
            line.told.pop_front().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

pub(super) type Following = Pin<Box<dyn Future<Output = StoreError> + Send>>;

pub(super) fn following(cached: &Cached<Database>, feed: &Feed) -> Following {
    let (cached, mut feed) = (cached.clone(), feed.clone());
    Box::pin(async move { cached.follow(&mut feed).await })
}

/// A cache with a long bound, and a short one without its feed, which is followed.
fn followed() -> (Database, Ticks, Cached<Database>, Feed, Following) {
    let (database, clock, cached) =
        cached(|builder| builder.max_staleness(seconds(60)).max_staleness_without_feed(seconds(2)));
    let feed = Feed::default();
    let mut following = following(&cached, &feed);
    assert!(ready(&mut following).is_none());
    (database, clock, cached, feed, following)
}

#[track_caller]
fn known(cached: &Cached<Database>, key: CredentialKey) {
    assert!(find(cached, key).unwrap().is_some());
    assert_eq!(peeks(cached, key), "known");
}

#[test]
fn a_notice_makes_it_forget_what_changed() {
    let (database, clock, cached, feed, mut following) = followed();
    let (key, other) = (database.put("a"), database.put("b"));
    known(&cached, key);
    known(&cached, other);
    clock.pass(seconds(9));
    feed.tell(Ok(Notice::Alive));
    assert!(ready(&mut following).is_none());
    assert_eq!((peeks(&cached, key), peeks(&cached, other)), ("known", "known"));
    // Another process revokes it.
    revoke(&database, key);
    feed.tell(Ok(Notice::Changed(key)));
    assert!(ready(&mut following).is_none());
    assert!(is_revoked(&find(&cached, key)));
    assert_eq!(peeks(&cached, other), "known");
    feed.tell(Ok(Notice::ManyChanged));
    assert!(ready(&mut following).is_none());
    assert_eq!((peeks(&cached, key), peeks(&cached, other)), ("ask", "ask"));
}

/// A notice that overtakes a read: what was read before it is not kept.
#[test]
fn a_notice_is_not_undone_by_a_read_that_was_under_way() {
    let (database, _, cached, feed, mut following) = followed();
    let key = database.put("a");
    database.hold();
    let mut old = asked(&cached, key);
    assert!(ready(&mut old).is_none());
    revoke(&database, key);
    feed.tell(Ok(Notice::Changed(key)));
    assert!(ready(&mut following).is_none());
    database.release();
    assert!(!is_revoked(&ready(&mut old).unwrap()));
    assert!(is_revoked(&find(&cached, key)));
}

/// What happens to the feed, whereupon the short bound counts.
#[test]
fn a_feed_that_is_lost_leaves_the_short_bound() {
    type Lose = fn(Following, &Feed, &Ticks) -> Option<Following>;
    let ways: [(&str, Lose); 4] = [
        ("an error", |mut following, feed, clock| {
            feed.tell(Err(StoreError::unavailable("reset")));
            assert_eq!(ready(&mut following).unwrap().to_string(), "the store did not answer");
            clock.pass(seconds(3));
            None
        }),
        ("dropped", |following, _, clock| {
            drop(following);
            clock.pass(seconds(3));
            None
        }),
        ("silence", |following, _, clock| {
            clock.pass(seconds(10) + std::time::Duration::from_nanos(1));
            Some(following)
        }),
        ("refused again", |following, feed, clock| {
            drop(following);
            feed.0.lock().unwrap().refuses = true;
            clock.pass(seconds(3));
            None
        }),
    ];
    for (way, lose) in ways {
        let (database, clock, cached, feed, following) = followed();
        let key = database.put("a");
        known(&cached, key);
        let _following = lose(following, &feed, &clock);
        assert_eq!(peeks(&cached, key), "ask", "{way}");
        // What is fetched without a feed lives for the short bound.
        known(&cached, key);
        clock.pass(seconds(2));
        assert_eq!(peeks(&cached, key), "known", "{way}");
        clock.pass(std::time::Duration::from_nanos(1));
        assert_eq!(peeks(&cached, key), "ask", "{way}");
    }
}

#[test]
fn silence_up_to_its_limit_is_no_loss() {
    let (database, clock, cached, _feed, _following) = followed();
    let key = database.put("a");
    known(&cached, key);
    clock.pass(seconds(10));
    assert_eq!(peeks(&cached, key), "known");
}

/// On its return everything is forgotten, also what was fetched a moment ago: notices may have been lost in between.
#[test]
fn a_feed_that_returns_makes_it_forget_everything() {
    let (database, clock, cached, feed, mut following) = followed();
    let key = database.put("a");

    feed.tell(Err(StoreError::unavailable("reset")));
    assert!(ready(&mut following).is_some());
    known(&cached, key);
    let mut again = self::following(&cached, &feed);
    assert!(ready(&mut again).is_none());
    assert_eq!(feed.0.lock().unwrap().subscriptions, 2);
    assert_eq!(peeks(&cached, key), "ask");

    // The same after a silence, though the connection held.
    known(&cached, key);
    clock.pass(seconds(11));
    known(&cached, key);
    feed.tell(Ok(Notice::Alive));
    assert!(ready(&mut again).is_none());
    assert_eq!(peeks(&cached, key), "ask");
    known(&cached, key);
    feed.tell(Ok(Notice::Alive));
    assert!(ready(&mut again).is_none());
    assert_eq!(peeks(&cached, key), "known", "and after that nothing is, without a reason");
}

/// The first subscription may have missed what came before it, and a read that was under way with it.
#[test]
fn the_first_subscription_forgets_what_was_there() {
    let (database, _, cached) = cached(|builder| builder);
    let (key, slow) = (database.put("a"), database.put("b"));
    known(&cached, key);
    database.hold();
    let mut under_way = asked(&cached, slow);
    assert!(ready(&mut under_way).is_none());
    let feed = Feed::default();
    let mut following = following(&cached, &feed);
    assert!(ready(&mut following).is_none());
    database.release();
    assert!(ready(&mut under_way).unwrap().is_ok());
    assert_eq!((peeks(&cached, key), peeks(&cached, slow)), ("ask", "ask"));
}

/// Without a feed at all, the bound is the long one: there is nothing to be lost.
#[test]
fn without_a_feed_the_bound_is_max_staleness() {
    let (database, clock, cached) = cached(|builder| builder.max_staleness_without_feed(seconds(1)));
    let key = database.put("a");
    known(&cached, key);
    clock.pass(seconds(5));
    assert_eq!(peeks(&cached, key), "known");
}

/// From the first call on, a feed that never came is a lost one.
#[test]
fn a_first_subscription_that_fails_leaves_the_short_bound() {
    let (database, clock, cached) = cached(|builder| builder.max_staleness_without_feed(seconds(1)));
    let key = database.put("a");
    let feed = Feed::default();
    feed.0.lock().unwrap().refuses = true;
    assert!(ready(&mut following(&cached, &feed)).is_some());
    known(&cached, key);
    clock.pass(seconds(2));
    assert_eq!(peeks(&cached, key), "ask");
}

/// What is fetched while no feed is heard may be as old as the short bound, and takes no longer.
#[test]
fn without_a_feed_an_answer_is_too_late_by_the_short_bound() {
    let (database, clock, cached) = cached(|builder| builder.max_staleness_without_feed(seconds(1)));
    let key = database.put("a");
    drop(following(&cached, &Feed::default()));
    let mut never_heard = following(&cached, &Feed::default());
    assert!(ready(&mut never_heard).is_none());
    drop(never_heard);
    for (takes, is_answered) in [(seconds(1), true), (seconds(2), false)] {
        cached.invalidate_all();
        database.hold();
        let mut asked = asked(&cached, key);
        assert!(ready(&mut asked).is_none());
        clock.pass(takes);
        database.release();
        assert_eq!(ready(&mut asked).unwrap().is_ok(), is_answered, "{takes:?}");
    }
}

/// A short bound of zero: while no feed is heard each call asks, and may take no longer than the long bound allows.
#[test]
fn with_a_short_bound_of_zero_each_call_asks_while_no_feed_is_heard() {
    let (database, clock, cached) =
        cached(|builder| builder.max_staleness_without_feed(seconds(0)).danger_stale_on_failure(seconds(0)));
    let (key, feed) = (database.put("a"), Feed::default());
    let mut following = following(&cached, &feed);
    assert!(ready(&mut following).is_none());
    known(&cached, key);
    drop(following);
    for asked in 2..5 {
        assert_eq!(peeks(&cached, key), "ask");
        assert!(find(&cached, key).unwrap().is_some());
        assert_eq!(database.finds(), asked);
    }
    for (takes, is_answered) in [(seconds(5), true), (seconds(6), false)] {
        database.hold();
        let mut asked = asked(&cached, key);
        assert!(ready(&mut asked).is_none());
        clock.pass(takes);
        database.release();
        assert_eq!(ready(&mut asked).unwrap().is_ok(), is_answered, "{takes:?}");
    }
}

#[test]
fn without_a_feed_the_bound_is_never_longer_than_max_staleness() {
    let (database, clock, cached) =
        cached(|builder| builder.max_staleness(seconds(2)).max_staleness_without_feed(seconds(9)));
    let key = database.put("a");
    let mut following = following(&cached, &Feed::default());
    assert!(ready(&mut following).is_none());
    drop(following);
    known(&cached, key);
    clock.pass(seconds(2));
    assert_eq!(peeks(&cached, key), "known");
    clock.pass(std::time::Duration::from_nanos(1));
    assert_eq!(peeks(&cached, key), "ask");
}
