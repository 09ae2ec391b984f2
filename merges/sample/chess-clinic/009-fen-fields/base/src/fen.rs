//! Reads positions in the usual notation.

use crate::board::Board;

pub const START: &str = "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1";

pub fn read(text: &str) -> Result<Board, String> {
    let mut fields = text.split(' ');
    let mut board = Board::empty();
    for (rank, row) in fields.next().unwrap_or("").split('/').enumerate() {
        board.fill(7 - rank, row)?;
    }
    board.turn = turn(fields.next())?;
    board.check()?;
    Ok(board)
}

/// The number of half moves since a pawn moved.
pub fn clock(field: &str) -> Result<u16, String> {
    Ok(field.parse().unwrap())
}

fn turn(field: Option<&str>) -> Result<bool, String> {
    match field {
        Some("w") => Ok(true),
        Some("b") => Ok(false),
        other => Err(format!("whose turn is {other:?}?")),
    }
}
