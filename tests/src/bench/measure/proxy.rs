//! Programs that end TLS in front of another server, and their configuration files.

use std::{
    fs, io,
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::Command,
};

use anyhow::bail;
use tests::net::Certificate;

use crate::candidate::{Candidate, nginx_stream_module};

/// What a proxy is to do.
pub(super) struct Proxy<'c> {
    pub threads: usize,
    pub certificate: &'c Certificate,
    /// Port of the server behind it.
    pub backend: u16,
}

/// Returns a port that nobody uses now.
pub(super) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

impl Proxy<'_> {
    /// Writes the configuration file, and returns the command that starts the proxy.
    pub(super) fn command(&self, program: Candidate, directory: &Path) -> anyhow::Result<Command> {
        let file = directory.join("proxy.conf");
        // Neither of them can report a port that the system has chosen.
        let port = free_port()?;
        let mut command = Command::new(program.program());
        match program {
            Candidate::Nginx => {
                fs::write(&file, self.nginx(port, directory))?;
                command.arg("-p").arg(directory).arg("-e").arg("/dev/null").arg("-c").arg(file);
            }
            Candidate::Stunnel => {
                fs::write(&file, self.stunnel(port))?;
                command.arg(file);
            }
            _ => bail!("{} is not a proxy", program.title()),
        }
        Ok(command)
    }

    fn nginx(&self, port: u16, directory: &Path) -> String {
        let Self { threads, certificate, backend } = self;
        let module = nginx_stream_module()
            .map_or_else(String::new, |module| format!("load_module {};\n", module.display()));
        let [cert, key] =
            [&certificate.certificate_file, &certificate.key_file].map(|file| file.display());
        format!(
            "{module}daemon off;\n\
             error_log /dev/null;\n\
             pid {}/nginx.pid;\n\
             worker_processes {threads};\n\
             events {{ worker_connections 10000; }}\n\
             stream {{\n  \
               server {{\n    \
                 listen 127.0.0.1:{port} ssl;\n    \
                 ssl_certificate {cert};\n    \
                 ssl_certificate_key {key};\n    \
                 ssl_protocols TLSv1.2 TLSv1.3;\n    \
                 ssl_session_cache shared:sessions:10m;\n    \
                 tcp_nodelay on;\n    \
                 proxy_pass 127.0.0.1:{backend};\n  \
               }}\n\
             }}\n",
            directory.display()
        )
    }

    fn stunnel(&self, port: u16) -> String {
        let Self { certificate, backend, .. } = self;
        let [cert, key] =
            [&certificate.certificate_file, &certificate.key_file].map(|file| file.display());
        format!(
            "foreground = yes\n\
             pid =\n\
             debug = 0\n\
             syslog = no\n\
             [echo]\n\
             accept = 127.0.0.1:{port}\n\
             connect = 127.0.0.1:{backend}\n\
             cert = {cert}\n\
             key = {key}\n\
             socket = l:TCP_NODELAY=1\n\
             socket = r:TCP_NODELAY=1\n"
        )
    }
}
