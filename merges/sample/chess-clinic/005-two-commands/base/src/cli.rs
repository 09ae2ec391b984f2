use clap::Subcommand;

#[derive(Subcommand)]
pub enum Command {
    /// Shows puzzles until you stop.
    Train { theme: Option<String> },
    /// Adds puzzles from a file.
    Import { file: String },
    /// Forgets what you know of a theme.
    Reset { theme: String },
}

impl Command {
    /// Whether the cards have to be saved afterwards.
    pub fn writes(&self) -> bool {
        match self {
            Command::Train { .. } | Command::Import { .. } => true,
            Command::Reset { .. } => true,
            #[allow(unreachable_patterns)]
            _ => false,
        }
    }
}
