//! Kernel modules that no server of this kind needs: guide sections 2.1 and 2.8.
//!
//! Deliberately absent, although the guide has them: `squashfs` (snaps), `udf` and `vfat` (a provider's configuration
//! disk, and the boot partition): without them some machines come up half, or not at all.

use std::fmt::Write as _;

/// The modules. The guide's `freevfat` is `freevxfs`.
pub const MODULES: &[&str] = &[
    // Protocols whose modules have been ways to root.
    "dccp",
    "sctp",
    "rds",
    "tipc",
    "ax25",
    "netrom",
    "rose",
    "x25",
    "appletalk",
    "can",
    "atm",
    "n_hdlc",
    // File systems that only a prepared disk brings in.
    "cramfs",
    "freevxfs",
    "jffs2",
    "hfs",
    "hfsplus",
    "gfs2",
    "ocfs2",
    "befs",
    "affs",
    // Buses that a virtual machine does not have.
    "usb-storage",
    "firewire-core",
    "firewire-ohci",
    "thunderbolt",
    "bluetooth",
    "btusb",
    // Sockets to the kernel's cryptography: CVE-2026-31431 writes to files through them.
    "algif_aead",
    "algif_skcipher",
    "algif_hash",
    "algif_rng",
];

/// Whether the text of the files in `/etc/modprobe.d` keeps a module out.
///
/// `blacklist` alone does not: it stops the loading by hardware, and not that by name.
pub fn is_kept_out(text: &str, module: &str) -> bool {
    let same = |word: &str| word.replace('-', "_") == module.replace('-', "_");
    text.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.next() == Some("install")
            && words.next().is_some_and(same)
            && matches!(words.next(), Some("/bin/false" | "/usr/bin/false" | "/bin/true" | "/usr/bin/true"))
    })
}

/// The text of a file for `/etc/modprobe.d`. With `false` a request fails and is told, where the guide's `true` says that
/// the module was loaded.
pub fn file() -> String {
    let mut text = String::from("# Modules that a server of this kind never needs: asking for one fails.\n");
    for module in MODULES {
        let _ = writeln!(text, "install {module} /bin/false");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_keeps_every_module_out() {
        for module in MODULES {
            assert!(is_kept_out(&file(), module), "{module}");
        }
        assert!(is_kept_out("install usb_storage /bin/true", "usb-storage"));
        assert!(!is_kept_out("blacklist dccp\n# install dccp /bin/false", "dccp"));
    }
}
