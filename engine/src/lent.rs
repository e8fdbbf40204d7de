//! Buffers that a thread keeps for the next one who needs the like: most are asked for several times a search.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::thread::LocalKey;

/// What a thread keeps of one kind.
pub(crate) type Kept<T> = RefCell<Vec<Box<T>>>;

/// A buffer that is worth keeping.
pub(crate) trait Lend: Sized + 'static {
    /// How many a thread keeps.
    const KEPT_MOST: usize;

    /// A new one.
    fn make() -> Box<Self>;

    /// Those that the thread keeps.
    fn kept() -> &'static LocalKey<Kept<Self>>;
}

/// A buffer of the thread, until it is dropped. It is as the last user left it.
pub(crate) struct Lent<T: Lend>(Option<Box<T>>);

impl<T: Lend> Lent<T> {
    /// One that nobody else has.
    pub fn take() -> Lent<T> {
        let kept = T::kept().with_borrow_mut(Vec::pop);
        Lent(Some(kept.unwrap_or_else(T::make)))
    }
}

impl<T: Lend> Drop for Lent<T> {
    fn drop(&mut self) {
        // Nobody knows what a panic left in it.
        if std::thread::panicking() {
            return;
        }
        let buffer = self.0.take();
        // A thread that ends keeps nothing.
        let _ = T::kept().try_with(|kept| {
            let mut kept = kept.borrow_mut();
            if kept.len() < T::KEPT_MOST {
                kept.extend(buffer);
            }
        });
    }
}

impl<T: Lend> Deref for Lent<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.0.as_ref().expect("only drop takes the buffer")
    }
}

impl<T: Lend> DerefMut for Lent<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().expect("only drop takes the buffer")
    }
}
