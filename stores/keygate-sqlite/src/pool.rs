//! A fixed number of connections, lent one at a time.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keygate::StoreError;
use rusqlite::Connection;

use crate::failure::Failure;

/// Connections that wait for work. The lock is held to take one and to put it back, never while it works.
#[derive(Debug)]
pub(crate) struct Pool {
    idle: Mutex<Idle>,
    returned: Condvar,
    patience: Duration,
}

#[derive(Debug)]
struct Idle {
    connections: Vec<Connection>,
    /// How many threads wait for one: to wake nobody is a call of the system's all the same, a tenth of a lookup.
    waiting: usize,
}

impl Pool {
    /// Whoever finds none idle waits for one as long as this.
    pub(crate) const fn new(connections: Vec<Connection>, patience: Duration) -> Self {
        Self { idle: Mutex::new(Idle { connections, waiting: 0 }), returned: Condvar::new(), patience }
    }

    /// Does a piece of work on a connection of its own. Should the work panic, the connection is whole afterwards.
    pub(crate) fn with<T>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut connection = self.take()?;
        let done = catch_unwind(AssertUnwindSafe(|| work(&mut connection)));
        // A transaction that lost its end, by a panic. Where rolling it back fails nothing can be begun on top of it, and the next
        // one to come by tries again.
        if !connection.is_autocommit() {
            let _tried = connection.execute_batch("ROLLBACK");
        }
        self.put_back(connection);
        done.unwrap_or_else(|panic| resume_unwind(panic))
    }

    fn take(&self) -> Result<Connection, StoreError> {
        let mut idle = self.idle();
        idle.waiting = idle.waiting.saturating_add(1);
        let are_busy = |idle: &mut Idle| idle.connections.is_empty();
        let waited = self.returned.wait_timeout_while(idle, self.patience, are_busy);
        let (mut idle, _) = waited.unwrap_or_else(PoisonError::into_inner);
        idle.waiting = idle.waiting.saturating_sub(1);
        idle.connections.pop().ok_or_else(|| {
            StoreError::unavailable(
                "all connections to the database are at work: ask less at a time, or raise the busy timeout",
            )
        })
    }

    fn put_back(&self, connection: Connection) {
        let mut idle = self.idle();
        idle.connections.push(connection);
        let is_waited_for = idle.waiting > 0;
        drop(idle);
        if is_waited_for {
            self.returned.notify_one();
        }
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use keygate::StoreErrorKind;

    use super::*;

    fn pool(patience: Duration) -> Pool {
        Pool::new(vec![Connection::open_in_memory().unwrap()], patience)
    }

    #[test]
    fn whoever_waits_too_long_is_told_so() {
        let pool = pool(Duration::from_millis(10));
        let waited = pool.with(|_| Ok(StoreError::from(pool.with(|_| Ok(())).unwrap_err()))).unwrap();
        assert_eq!(waited.kind(), StoreErrorKind::Unavailable);
        assert!(pool.with(|_| Ok(())).is_ok());
        assert_eq!(pool.idle().waiting, 0);
    }

    #[test]
    fn whoever_waits_is_woken() {
        let pool = pool(Duration::from_secs(60));
        thread::scope(|scope| {
            let waits = pool
                .with(|_| {
                    let waits = scope.spawn(|| pool.with(|_| Ok(())).is_ok());
                    while pool.idle().waiting == 0 {
                        thread::yield_now();
                    }
                    Ok(waits)
                })
                .unwrap();
            assert!(waits.join().unwrap());
        });
    }
}
