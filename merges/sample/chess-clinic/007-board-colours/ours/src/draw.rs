use anstyle::RgbColor;

/// Chosen with players who cannot tell green from red; do not change by eye.
pub const LIGHT: RgbColor = RgbColor(240, 240, 210);
pub const DARK: RgbColor = RgbColor(110, 150, 80);

pub fn square(file: u8, rank: u8) -> RgbColor {
    if (file + rank) % 2 == 0 { DARK } else { LIGHT }
}

/// The letter of a piece, white ones in capitals.
pub fn letter(kind: Kind, white: bool) -> char {
    let letter = match kind {
        Kind::Pawn => 'p',
        Kind::Knight => 'n', // k is the king
        Kind::Bishop => 'b',
        Kind::Rook => 'r',
        Kind::Queen => 'q',
        Kind::King => 'k',
    };
    match white {
        true => letter.to_ascii_uppercase(),
        false => letter,
    }
}

/// Letters under the board.
pub fn files() -> impl Iterator<Item = char> {
    "abcdefgh".chars()
}
