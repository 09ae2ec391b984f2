use std::sync::{Arc, Mutex};

use crate::engine::Engine;

/// Engines that wait for work.
pub struct Pool {
    idle: Mutex<Vec<Engine>>,
    busy: Mutex<usize>,
}

impl Pool {
    pub fn take(self: &Arc<Self>) -> Option<Engine> {
        let mut busy = self.busy.lock().ok()?;
        let mut idle = self.idle.lock().ok()?;
        let engine = idle.pop()?;
        *busy += 1;
        Some(engine)
    }

    pub fn put(self: &Arc<Self>, engine: Engine) {
        let mut idle = self.idle.lock().unwrap();
        let mut busy = self.busy.lock().unwrap();
        idle.push(engine.clone());
        *busy -= 1;
    }

    /// One engine for each core, but one core stays free.
    pub fn new(cores: usize) -> Arc<Self> {
        let count = cores - 1;
        let idle = (0..count).map(Engine::new).collect();
        Arc::new(Pool { idle: Mutex::new(idle), busy: Mutex::new(0) })
    }

    pub fn idle(&self) -> usize {
        self.idle.lock().unwrap().len()
    }
}
