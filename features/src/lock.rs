//! One writer at a time.

use std::fs::{self, File, TryLockError};
use std::path::Path;

use crate::front;
use crate::{Error, Result};

/// A file that this process alone may write, until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock(File);

impl Lock {
    pub(crate) fn file(&self) -> &File {
        &self.0
    }
}

impl Drop for Lock {
    /// Lets go of the lock at once. Closing the file would keep it for as long as a child that is
    /// just being started holds a copy. Where it fails, the end of the process lets go.
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// Takes a file for this process alone; `path` is named in errors.
///
/// # Errors
/// [`Error::Busy`] if another program has it locked, for reading or for writing.
pub(crate) fn lock(file: File, path: &Path) -> Result<Lock> {
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => {
            Err(Error::Busy { path: path.to_path_buf(), holder: who_holds(&file) })
        }
        Err(TryLockError::Error(error)) => Err(Error::io(path)(error)),
    }
}

/// Who has a file that cannot be locked. A program that only reads it shares its lock.
fn who_holds(file: &File) -> String {
    if file.try_lock_shared().is_ok() {
        let _ = file.unlock();
        return "another program has it open for reading".to_owned();
    }
    match front::read_holder(file).filter(|holder| is_alive(holder)) {
        Some(holder) => format!("{holder} is writing it"),
        None => "another program is writing it".to_owned(),
    }
}

/// This process, as it is named in a store that it writes.
pub(crate) fn this_process() -> String {
    format!("process {} on {}", std::process::id(), host())
}

/// Whether a process that left its name runs on this machine.
fn is_alive(holder: &str) -> bool {
    let Some((process, of)) = holder.strip_prefix("process ").and_then(|of| of.split_once(" on "))
    else {
        return false;
    };
    let number = process.parse::<u32>();
    of == host() && number.is_ok_and(|number| Path::new(&format!("/proc/{number}")).exists())
}

fn host() -> String {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    host.trim().to_owned()
}
