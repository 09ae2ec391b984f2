use anstyle::RgbColor;

/// Chosen with players who cannot tell green from red; do not change by eye.
pub const LIGHT: RgbColor = RgbColor(255, 255, 255);
pub const DARK: RgbColor = RgbColor(128, 128, 128);

pub fn square(file: u8, rank: u8) -> RgbColor {
    if (file + rank) % 2 == 0 { DARK } else { LIGHT }
}

/// The letter of a piece, white ones in capitals.
pub fn letter(kind: Kind, white: bool) -> char {
    let letter = match kind {
        Kind::Pawn => 'p',
        Kind::Knight => 's', // Springer
        Kind::Bishop => 'b',
        Kind::Rook => 'r',
        Kind::Queen => 'q',
        Kind::King => 'k',
    };
    if white { letter.to_ascii_uppercase() } else { letter }
}

/// Letters under the board.
pub fn files() -> impl Iterator<Item = char> {
    'a'..='h'
}
