/// What a player is expected to score against a puzzle.
pub fn expected(player: f64, puzzle: f64) -> f64 {
    let apart = (puzzle - player).clamp(-800.0, 800.0);
    1.0 / (1.0 + 10f64.powf(apart / 400.0))
}

/// The rating after one puzzle.
pub fn after(player: f64, puzzle: f64, solved: bool, count: u32) -> f64 {
    let score = if solved { 1.0 } else { 0.0 };
    let next = player + factor(count) * (score - expected(player, puzzle)).max(-0.8);
    next.max(400.0)
}

/// New players move faster.
pub fn factor(count: u32) -> f64 {
    match count {
        0..30 => 40.0,
        30..300 => 24.0,
        _ => 12.0,
    }
}

/// The word for a rating, shown after each session.
pub fn word(rating: f64) -> &'static str {
    match rating as u32 {
        0..=999 => "beginner",
        1000..=1799 => "club player",
        _ => "expert",
    }
}
