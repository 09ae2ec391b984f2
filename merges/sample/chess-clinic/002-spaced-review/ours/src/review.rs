//! When a puzzle comes back.

use std::time::Duration;

/// What is known about one puzzle of one player.
#[derive(Clone, Debug, Default)]
pub struct Card {
    /// 0 to 6; box 6 is for puzzles that are known by heart.
    pub level: u8,
    pub days: u32,
    pub seen: u32,
    pub failed: u32,
    pub last: Option<u64>,
}

impl Card {
    /// A solved puzzle waits longer.
    pub fn solved(&mut self) {
        self.level = (self.level + 1).min(6);
        self.days = BOXES[self.level as usize].max(1);
        self.seen += 1;
    }

    /// A failed one comes back tomorrow.
    pub fn missed(&mut self) {
        self.level = self.level.saturating_sub(2);
        self.days = 1;
        self.failed += 1;
    }

    pub fn pause(&self) -> Duration {
        Duration::from_secs(86_400 * u64::from(self.days))
    }
}
