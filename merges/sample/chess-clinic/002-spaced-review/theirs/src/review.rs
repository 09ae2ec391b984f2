//! When a puzzle comes back.

use std::time::Duration;

/// What is known about one puzzle of one player.
#[derive(Clone, Debug, Default)]
pub struct Card {
    /// Factor by which the pause grows, 1.3 at least.
    pub ease: f32,
    pub days: u32,
    pub seen: u32,
    pub failed: u32,
    pub last: Option<u64>,
}

impl Card {
    /// A solved puzzle waits longer.
    pub fn solved(&mut self) {
        self.ease += 0.1;
        self.days = (self.days as f32 * self.ease).round() as u32;
        self.seen += 1;
    }

    /// A failed one comes back tomorrow.
    pub fn missed(&mut self) {
        self.ease = (self.ease - 0.2).max(1.3);
        self.days = 1;
        self.failed += 1;
    }

    pub fn pause(&self) -> Duration {
        Duration::from_secs(86_400 * self.days as u64)
    }
}
