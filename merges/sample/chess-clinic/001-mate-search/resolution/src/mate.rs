//! Looks for a forced mate.

use crate::board::{Board, Move};

/// The longest line, in half moves.
pub const LONGEST: u8 = 11;

pub struct Search {
    pub nodes: u64,
    pub limit: u64,
}

pub fn mates(search: &mut Search, board: &Board, depth: u8) -> Option<Move> {
    if depth == 0 || board.is_over() {
        return None;
    }
    let mut moves = board.legal_moves();

    // what forces the answer comes first
    moves.sort_by_key(|m| (!board.gives_check(m), !m.is_capture()));
    moves.into_iter().find(|m| board.after(m).is_lost(depth - 1))
}

/// How the line is written in the solution.
pub fn line(moves: &[Move]) -> String {
    let texts: Vec<String> = moves.iter().map(Move::to_string).collect();
    texts.join(", ")
}
