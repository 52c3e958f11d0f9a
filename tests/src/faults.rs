//! Disks that are full or fail: a small file system of its own where one may be mounted, and a library before
//! the C library that lets calls on spool files fail while a file says so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::World;

/// The library, built once; a machine that builds Rust has a C compiler.
pub fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let own = std::env::current_exe().expect("this program has a path");
        let library = own.with_file_name("faults.so");
        // Another process may load it at this moment.
        let new = own.with_file_name(format!("faults.so.{}", std::process::id()));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/faults.c");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&new)
            .arg(source)
            .status();
        assert!(built.expect("cc runs").success(), "the library is built");
        fs::rename(new, &library).expect("a file");
        library
    })
}

impl World {
    /// Lets these calls fail on the gateway's spools; it must have been started with the library.
    pub fn fail(&self, calls: &str) {
        let (file, whole) = (self.folder.join("faults"), self.folder.join("faults.whole"));
        fs::write(&whole, calls).expect("a file");
        fs::rename(whole, file).expect("a file");
    }
}

/// A file system in memory, as small as it is told, for as long as this lives.
pub struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// `None` where this process may not mount.
    pub fn mount(folder: &Path, bytes: u64) -> Option<SmallDisk> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={bytes},mode=0700"), "tmpfs"]);
        let mounted = mount.arg(folder).status().is_ok_and(|status| status.success());
        mounted.then(|| SmallDisk {
            folder: folder.to_owned(),
        })
    }

    /// Takes all the room that is left.
    pub fn fill(&self) {
        let taken = Command::new("dd")
            .args(["if=/dev/zero", "bs=4096", "status=none"])
            .arg(format!("of={}", self.filler().display()))
            .stderr(std::process::Stdio::null())
            .status();
        assert!(
            !taken.expect("dd runs").success(),
            "it ends because there is no room"
        );
    }

    /// Gives it back.
    pub fn give_back(&self) {
        fs::remove_file(self.filler()).expect("the filler goes");
    }

    fn filler(&self) -> PathBuf {
        self.folder.join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Whoever still has files open there keeps them.
        let _ = Command::new("umount").arg("--lazy").arg(&self.folder).status();
    }
}
