//! Puzzles from files with one position a line.

use crate::puzzle::Puzzle;

pub const SEPARATOR: char = ';';

pub fn import(text: &str) -> Result<Vec<Puzzle>, ClinicError> {
    text.lines().map(|line| parse(line)).collect()
}

/// The position comes first, then the solution.
fn parse(line: &str) -> crate::Result<Puzzle> {
    let mut parts = line.split(SEPARATOR);
    let position = parts.next().unwrap_or("");
    let solution = parts.next().unwrap_or("");
    Puzzle::new(position, solution)
}

/// Lines count from one, as editors show them.
fn at(line: usize, error: ClinicError) -> ClinicError {
    ClinicError::Line(line, error.into())
}
