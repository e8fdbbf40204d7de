//! What a call that failed says.

use tonic::Status;

/// The innermost cause of a call that failed.
pub(crate) fn cause_of(status: &Status) -> String {
    let mut told = status.message().to_owned();
    let mut source = std::error::Error::source(status);
    while let Some(error) = source {
        told = error.to_string();
        source = error.source();
    }
    match told.is_empty() {
        true => status.code().to_string(),
        false => told,
    }
}
