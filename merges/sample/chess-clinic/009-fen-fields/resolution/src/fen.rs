//! Reads positions in the usual notation.

use crate::board::Board;

pub const START: &str = "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1";

pub fn read(text: &str) -> Result<Board, String> {
    let defaults = ["", "w", "-", "-", "0", "1"];
    let given: Vec<&str> = text.split_whitespace().collect();
    let mut fields = (0..6).map(|i| *given.get(i).unwrap_or(&defaults[i]));
    let mut board = Board::empty();
    for (rank, row) in fields.next().unwrap_or("").split('/').enumerate() {
        board.fill(7 - rank, row)?;
    }
    board.turn = turn(fields.next())?;
    board.check_kings()?;
    Ok(board)
}

/// The number of half moves since a pawn moved.
pub fn clock(field: &str) -> Result<u16, String> {
    if field == "-" {
        return Ok(0);
    }
    field.parse().map_err(|_| format!("no clock: {field}"))
}

fn turn(field: Option<&str>) -> Result<bool, String> {
    match field {
        Some("w") | None => Ok(true),
        Some("b") => Ok(false),
        other => Err(format!("whose turn is {other:?}?")),
    }
}
