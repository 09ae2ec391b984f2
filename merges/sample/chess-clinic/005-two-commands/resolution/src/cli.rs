use clap::Subcommand;

#[derive(Subcommand)]
pub enum Command {
    /// Shows puzzles until you stop.
    Train { theme: Option<String> },
    /// Adds puzzles from a file.
    Import { file: String },
    /// Writes all cards to a file.
    Export { file: String, pretty: bool },
    /// Tells how many days in a row you trained.
    Days,
    /// Forgets what you know of a theme.
    Reset { theme: String },
}

impl Command {
    /// Whether the cards have to be saved afterwards.
    pub fn writes(&self) -> bool {
        match self {
            Command::Train { .. } => true,
            Command::Import { .. } => true,
            Command::Reset { .. } => true,
            #[allow(unreachable_patterns)]
            _ => false,
        }
    }
}
