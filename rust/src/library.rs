//! The shared library, loaded by the system's own loader.

use std::ffi::c_void;
use std::path::Path;
use std::ptr::NonNull;

use crate::error::{Error, ErrorKind};
use crate::ffi::Interface;

/// A loaded library. It is unloaded when dropped.
pub(crate) struct Library {
    handle: NonNull<c_void>,
}

// SAFETY: the handle is only a key for the system's loader, and any thread may call the loader.
unsafe impl Send for Library {}
// SAFETY: as above.
unsafe impl Sync for Library {}

impl Library {
    /// Loads a library and looks up its functions. They may be called until the library is dropped.
    ///
    /// # Safety
    /// The file is a library that was built with the header that `F` describes, or not a library: loading one runs its code.
    pub(crate) unsafe fn load<F: Interface>(path: &Path) -> Result<(Library, F), Error> {
        let failed = |what: String| Error::in_file(ErrorKind::LibraryFailed, path, what);
        // The system would look for a bare name along its search path.
        let absolute = std::env::current_dir().unwrap_or_default().join(path);
        let handle = system::load(&absolute).map_err(|what| failed(format!("does not load: {what}")))?;
        let library = Library { handle };
        // SAFETY: the caller promises that these names are the header's.
        let functions = unsafe { F::find(|name| library.symbol(name)) };
        let functions = functions.map_err(|name| failed(format!("does not load: it has no {name}")))?;
        functions.check_version().map_err(failed)?;
        Ok((library, functions))
    }

    /// The address of a symbol. The name ends with a zero.
    fn symbol(&self, name: &'static str) -> Option<NonNull<c_void>> {
        debug_assert!(name.ends_with('\0'));
        NonNull::new(system::symbol(self.handle, name))
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        system::unload(self.handle);
    }
}

#[cfg(unix)]
mod system {
    use std::ffi::{c_void, CStr, CString};
    use std::os::raw::{c_char, c_int};
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;
    use std::ptr::NonNull;

    const RTLD_NOW: c_int = 2;
    const RTLD_LOCAL: c_int = if cfg!(any(target_os = "macos", target_os = "ios")) {
        4
    } else {
        0
    };

    #[cfg_attr(any(target_os = "linux", target_os = "android"), link(name = "dl"))]
    extern "C" {
        fn dlopen(path: *const c_char, flags: c_int) -> *mut c_void;
        fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
        fn dlclose(handle: *mut c_void) -> c_int;
        fn dlerror() -> *const c_char;
    }

    pub(super) fn load(path: &Path) -> Result<NonNull<c_void>, String> {
        let path = CString::new(path.as_os_str().as_bytes()).map_err(|_| "its path holds a zero".to_owned())?;
        // SAFETY: the path ends with a zero. What the library does meanwhile is the caller's promise.
        let handle = unsafe { dlopen(path.as_ptr(), RTLD_NOW | RTLD_LOCAL) };
        NonNull::new(handle).ok_or_else(|| {
            // SAFETY: it takes no arguments. The text lives until this thread's next call of the loader.
            let text = unsafe { dlerror() };
            if text.is_null() {
                return "the system does not say why".to_owned();
            }
            // SAFETY: it is not null, and ends with a zero.
            unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
        })
    }

    pub(super) fn symbol(handle: NonNull<c_void>, name: &str) -> *mut c_void {
        // SAFETY: the handle is of a library that is loaded, the name ends with a zero.
        unsafe { dlsym(handle.as_ptr(), name.as_ptr().cast()) }
    }

    pub(super) fn unload(handle: NonNull<c_void>) {
        // SAFETY: the handle is of a library that is loaded, and not used any more.
        unsafe { dlclose(handle.as_ptr()) };
    }
}

#[cfg(windows)]
mod system {
    use std::ffi::c_void;
    use std::io;
    use std::os::raw::{c_char, c_int};
    use std::os::windows::ffi::OsStrExt;
    use std::path::Path;
    use std::ptr::NonNull;

    #[link(name = "kernel32")]
    extern "system" {
        fn LoadLibraryW(path: *const u16) -> *mut c_void;
        fn GetProcAddress(handle: *mut c_void, name: *const c_char) -> *mut c_void;
        fn FreeLibrary(handle: *mut c_void) -> c_int;
    }

    pub(super) fn load(path: &Path) -> Result<NonNull<c_void>, String> {
        let mut wide: Vec<u16> = path.as_os_str().encode_wide().collect();
        if wide.contains(&0) {
            return Err("its path holds a zero".to_owned());
        }
        wide.push(0);
        // SAFETY: the path ends with a zero. What the library does meanwhile is the caller's promise.
        let handle = unsafe { LoadLibraryW(wide.as_ptr()) };
        NonNull::new(handle).ok_or_else(|| io::Error::last_os_error().to_string())
    }

    pub(super) fn symbol(handle: NonNull<c_void>, name: &str) -> *mut c_void {
        // SAFETY: the handle is of a library that is loaded, the name ends with a zero.
        unsafe { GetProcAddress(handle.as_ptr(), name.as_ptr().cast()) }
    }

    pub(super) fn unload(handle: NonNull<c_void>) {
        // SAFETY: the handle is of a library that is loaded, and not used any more.
        unsafe { FreeLibrary(handle.as_ptr()) };
    }
}
