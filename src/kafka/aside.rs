//! Clients that are closed on a thread of their own: closing waits for the library's
//! threads, which the engine's must not.

use std::ops::Deref;
use std::thread;

/// Something that is dropped on another thread.
pub(super) struct Aside<T: Send + 'static>(Option<T>);

impl<T: Send + 'static> Aside<T> {
    pub fn new(value: T) -> Self {
        Self(Some(value))
    }
}

impl<T: Send + 'static> Deref for Aside<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect("it is taken away only when dropped")
    }
}

impl<T: Send + 'static> Drop for Aside<T> {
    fn drop(&mut self) {
        let value = self.0.take();
        let closing = thread::Builder::new().name("kafka closes".to_owned());
        // Without another thread it is closed here.
        let _ = closing.spawn(move || drop(value));
    }
}
