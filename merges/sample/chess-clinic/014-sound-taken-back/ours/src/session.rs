use std::io::Write;

use crate::draw::Screen;

pub struct Session<W: Write> {
    pub screen: Screen<W>,
    pub solved: u32,
    pub missed: u32,
    pub paused: bool,
}

impl<W: Write> Session<W> {
    /// Takes the answer and tells whether it was right.
    pub fn answer(&mut self, text: &str, solution: &str) -> bool {
        let right = text.trim().trim_end_matches('!') == solution;
        if right {
            self.solved += 1;
        } else {
            self.missed += 1;
        }
        self.screen.mark(right);
        right
    }

    /// The clock stops meanwhile.
    pub fn pause(&mut self) {
        self.paused = true;
    }
}
