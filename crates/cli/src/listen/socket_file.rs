//! The file of a Unix socket.

#[cfg(unix)]
pub(super) use unix::SocketFile;

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
    use std::os::unix::net::UnixStream;
    use std::path::{Path, PathBuf};
    use std::{fs, io};

    use fullduplex_net::{Server, ServerOptions};

    /// The file of a Unix socket that this server created. It is removed on drop, unless another
    /// file has replaced it.
    #[derive(Debug)]
    pub(crate) struct SocketFile {
        path: PathBuf,
        identity: Option<(u64, u64)>,
    }

    impl SocketFile {
        /// Listens at `path`. Replaces a socket file if no server is listening at it.
        pub(crate) fn bind(path: &Path, options: ServerOptions) -> io::Result<(Server, Self)> {
            remove_stale(path)?;
            let server = Server::bind_unix(path, options)?;
            Ok((server, Self { path: path.to_owned(), identity: identity(path) }))
        }
    }

    impl Drop for SocketFile {
        fn drop(&mut self) {
            if self.identity.is_some() && identity(&self.path) == self.identity {
                fs::remove_file(&self.path).ok(); // it may have been removed already
            }
        }
    }

    fn remove_stale(path: &Path) -> io::Result<()> {
        let Ok(file) = fs::symlink_metadata(path) else { return Ok(()) };
        if !file.file_type().is_socket() {
            let reason =
                "the file at this path is not a socket; use another path, or remove the file";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, reason));
        }
        match UnixStream::connect(path) {
            Ok(_) => {
                let reason =
                    "another process listens at this path; use another path, or end that process";
                Err(io::Error::new(io::ErrorKind::AddrInUse, reason))
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
            Err(error) => Err(error),
        }
    }

    /// Returns numbers that distinguish a file from another file at the same path.
    fn identity(path: &Path) -> Option<(u64, u64)> {
        fs::symlink_metadata(path).ok().map(|file| (file.dev(), file.ino()))
    }
}

/// The replacement on systems without Unix sockets.
#[cfg(not(unix))]
#[derive(Debug)]
pub(super) struct SocketFile;

#[cfg(not(unix))]
impl SocketFile {
    pub(super) fn bind(
        _: &std::path::Path,
        _: fullduplex_net::ServerOptions,
    ) -> std::io::Result<(fullduplex_net::Server, Self)> {
        let reason = "this system has no Unix sockets";
        Err(std::io::Error::new(std::io::ErrorKind::Unsupported, reason))
    }
}
