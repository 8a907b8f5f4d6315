//! Bytes that a connection holds until more of them arrive.

use std::ops::Deref;

/// Received bytes of an incomplete frame or header. Without bytes it is one empty pointer, since most connections never
/// hold any.
#[derive(Debug, Default)]
pub(crate) struct HeldBytes(Option<Box<Box<[u8]>>>);

impl From<&[u8]> for HeldBytes {
    fn from(bytes: &[u8]) -> Self {
        Self((!bytes.is_empty()).then(|| Box::new(bytes.into())))
    }
}

impl Deref for HeldBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |bytes| bytes)
    }
}
