//! With the feature `static`: tells the linker where the library is. With `embed`: tells the compiler where the weights are.

use std::env;
use std::path::PathBuf;
use std::process::exit;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=G2P_LIB_DIR");
    if env::var_os("CARGO_FEATURE_STATIC").is_none() {
        return;
    }
    let folder = match env::var_os("G2P_LIB_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => fail("the feature `static` links libg2p.a: set G2P_LIB_DIR to the folder that holds it"),
    };
    // Windows' own tools call it g2p.lib.
    match ["libg2p.a", "g2p.lib"]
        .iter()
        .map(|name| folder.join(name))
        .find(|path| path.is_file())
    {
        Some(library) => println!("cargo:rerun-if-changed={}", library.display()),
        None => fail(&format!(
            "there is no libg2p.a in {}: set G2P_LIB_DIR to the folder of an unpacked library archive",
            folder.display()
        )),
    }
    println!("cargo:rustc-link-search=native={}", folder.display());
    println!("cargo:rustc-link-lib=static=g2p");
    if env::var("CARGO_CFG_UNIX").is_ok() {
        println!("cargo:rustc-link-lib=m");
    }
    if env::var_os("CARGO_FEATURE_EMBED").is_some() {
        embed();
    }
}

fn embed() {
    println!("cargo:rerun-if-env-changed=G2P_WEIGHTS");
    let given = match env::var_os("G2P_WEIGHTS") {
        Some(file) => PathBuf::from(file),
        None => fail("the feature `embed` puts weights into the program: set G2P_WEIGHTS to their archive"),
    };
    // The compiler would take a relative path for one that begins beside a source file.
    match given.canonicalize() {
        Ok(file) if file.is_file() => {
            println!("cargo:rerun-if-changed={}", file.display());
            println!("cargo:rustc-env=G2P_EMBEDDED_WEIGHTS={}", file.display());
        }
        _ => fail(&format!(
            "there is no file {}: set G2P_WEIGHTS to the archive with the variant's weights, or to weights.safetensors",
            given.display()
        )),
    }
}

fn fail(message: &str) -> ! {
    eprintln!("g2p: {message}");
    exit(1)
}
