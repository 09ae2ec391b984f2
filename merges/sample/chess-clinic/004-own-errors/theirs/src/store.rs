use std::fs;
use std::path::{Path, PathBuf};

use crate::card::Cards;
use crate::codec;

/// Some editors put it in front of a file.
const BOM: char = '\u{feff}';

pub struct Store {
    path: PathBuf,
    cards: Cards,
}

impl Store {
    /// Opens the cards of a player, none if the file is new.
    pub fn open(path: impl AsRef<Path>) -> Result<Store, BoxError> {
        let raw = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(_) => String::new(),
        };
        // an empty file is a new player
        let cards = codec::read(raw.trim_start_matches(BOM))?;
        Ok(Store { path: path.into(), cards })
    }

    pub fn len(&self) -> usize {
        self.cards.len()
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}
