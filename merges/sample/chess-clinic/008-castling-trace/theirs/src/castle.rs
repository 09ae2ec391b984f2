use crate::board::{Board, Side, Square};

impl Board {
    /// Whether the side to move may still castle there.
    pub fn may_castle(&self, side: Side) -> bool {
        let rights = self.rights(self.turn);
        eprintln!("rights {rights:?} {}", self.to_fen());
        if !rights.has(side) || self.in_check() {
            return false;
        }
        let path = self.castling_path(side);
        path.iter().all(|s| self.is_free(*s) && !self.is_attacked(*s))
    }

    /// A rook that moved, or was taken, ends the right.
    pub fn touch(&mut self, square: Square) {
        if square == self.rook_home(self.turn) || square == self.rook_home(!self.turn) {
            self.drop_right(square);
        }
    }

    fn drop_right(&mut self, home: Square) {
        self.rights.remove(home);
    }

    /// As it stands in the notation.
    pub fn rights_text(&self) -> String {
        let text = self.rights.to_string();
        if text.is_empty() { "-".to_string() } else { text }
    }
}
