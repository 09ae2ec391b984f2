use chess_clinic::{Board, Outcome};

// draws first, then what is still played on
const STALEMATE: &str = "7k/5Q2/6K1/8/8/8/8/8 b - - 0 1";

fn board(text: &str) -> Board {
    Board::from_fen(text).expect("a position of these tests")
}

#[test]
fn a_king_that_cannot_move_is_no_mate() {
    assert_eq!(board(STALEMATE).outcome(), Some(Outcome::Draw));
}

#[test]
fn twenty_moves_lead_out_of_the_start() {
    assert_eq!(Board::start().legal_moves().len(), 20);
}

#[test]
fn pieces_are_counted() {
    let start = Board::start();
    assert_eq!(start.pieces().count(), 32);
    assert_eq!(start.pawns().count(), 16);
}
