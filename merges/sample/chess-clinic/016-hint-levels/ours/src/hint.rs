use crate::puzzle::Puzzle;

#[derive(Clone, Copy, PartialEq)]
pub enum Hint {
    Theme,
    Piece,
    Square,
}

/// What a hint costs, in points of the rating.
pub fn price(hint: Hint) -> f64 {
    1.5
}

pub struct Asked {
    pub puzzle: u64,
    pub steps: u8,
    pub at: Option<u64>,
}

/// The text of the hint; it never names the move itself.
pub fn text(step: Step, puzzle: &Puzzle) -> String {
    match step {
        Step::Theme => puzzle.theme.name().to_lowercase(),
        Step::Piece => format!("move the {}", puzzle.piece()),
        Step::Square => format!("go to {}", puzzle.target()),
    }
}

/// Hints are offered after a pause.
pub fn offered(seconds: u32) -> bool {
    seconds > 20
}
