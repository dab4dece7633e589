//! Writes a tar archive (POSIX ustar) of a few files, folders and links, for `docker import` and `docker cp`.
//!
//! Deliberately absent: reading, long names, sparse files, times other than 0.

/// An archive in the making.
#[derive(Debug, Default)]
pub struct Tar(Vec<u8>);

impl Tar {
    /// Adds a folder with these permission bits and owner.
    #[must_use]
    pub fn folder(self, path: &str, mode: u32, owner: u32) -> Self {
        self.entry(path, b'5', mode, owner, "", b"")
    }

    /// Adds a file owned by root.
    #[must_use]
    pub fn file(self, path: &str, mode: u32, content: &[u8]) -> Self {
        self.entry(path, b'0', mode, 0, "", content)
    }

    /// Adds a file of a user's.
    #[must_use]
    pub fn owned(self, path: &str, mode: u32, owner: u32, content: &[u8]) -> Self {
        self.entry(path, b'0', mode, owner, "", content)
    }

    /// Adds a file that gives whoever executes it this capability (a `VFS_CAP_REVISION_2` attribute, effective), in a
    /// record before it (POSIX pax).
    #[must_use]
    pub fn capable(self, path: &str, mode: u32, capability: u32, content: &[u8]) -> Self {
        let words: [u32; 5] = [0x0200_0001, 1 << capability, 0, 0, 0];
        let mut record = b" SCHILY.xattr.security.capability=".to_vec();
        record.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        record.push(b'\n');
        // The length counts its own two digits.
        let length = record.len() + 2;
        let record = [length.to_string().into_bytes(), record].concat();
        self.entry("attributes", b'x', 0o644, 0, "", &record).file(path, mode, content)
    }

    /// Adds a symbolic link.
    #[must_use]
    pub fn link(self, path: &str, target: &str) -> Self {
        self.entry(path, b'2', 0o777, 0, target, b"")
    }

    /// The whole archive.
    pub fn finish(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }

    fn entry(mut self, path: &str, kind: u8, mode: u32, owner: u32, target: &str, content: &[u8]) -> Self {
        assert!(path.len() < 100 && target.len() < 100, "`{path}` is too long for this archive");
        let mut head = [0_u8; 512];
        let mut put = |at: usize, text: &str| head[at..at + text.len()].copy_from_slice(text.as_bytes());
        put(0, path);
        put(100, &format!("{mode:07o}\0"));
        put(108, &format!("{owner:07o}\0"));
        put(116, &format!("{owner:07o}\0"));
        put(124, &format!("{:011o}\0", content.len()));
        put(136, &format!("{:011o}\0", 0));
        put(148, "        ");
        put(157, target);
        put(257, "ustar\x0000");
        head[156] = kind;
        let sum: u32 = head.iter().map(|byte| u32::from(*byte)).sum();
        head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.0.extend_from_slice(&head);
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }
}
