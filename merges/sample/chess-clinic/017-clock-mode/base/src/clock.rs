use std::time::{Duration, Instant};

/// A round lasts three minutes.
pub const ROUND: Duration = Duration::from_secs(180);

/// For one puzzle; never longer than a round.
pub const PUZZLE: Duration = Duration::from_secs(240);

/// Runs from the first puzzle on.
pub struct Clock {
    started: Instant,
    spent: Duration,
}

impl Clock {
    pub fn start() -> Self {
        Clock { started: Instant::now(), spent: Default::default() }
    }

    /// What is left of the round; nothing once it is over.
    pub fn left(&self) -> Duration {
        ROUND - self.started.elapsed()
    }

    pub fn is_over(&self) -> bool {
        self.left().is_zero()
    }

    pub fn text(&self) -> String {
        format!("{} s", self.left().as_secs())
    }
}
