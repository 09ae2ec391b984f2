use chess_clinic::{Board, Outcome};

// draws first, then what is still played on
const STALEMATE: &str = "7k/5Q2/6K1/8/8/8/8/8 b - - 0 1";
const PERPETUAL: &str = "6k1/5ppp/8/8/8/8/5PPP/q5K1 w - - 7 31";

fn board(text: &str) -> Board {
    Board::from_fen(text).expect("a position of these tests")
}

#[test]
fn a_king_that_cannot_move_is_no_mate() {
    let outcome = board(STALEMATE).outcome();
    assert_eq!(outcome, Some(Outcome::Draw), "stalemate");
}

#[test]
fn twenty_moves_lead_out_of_the_start() {
    assert_eq!(Board::start().legal_moves().len(), 20);
}

#[test]
fn a_third_repetition_is_a_draw() {
    let game = board(PERPETUAL).play_all(&["Kh2", "Qe5+", "Kg1", "Qa1+"]);
    assert_eq!(game.repetitions(), 2);
}

#[test]
fn pieces_are_counted() {
    let start = Board::start();
    assert_eq!(start.pieces().count(), 32);
    assert_eq!(start.pawns().count(), 16);
}
