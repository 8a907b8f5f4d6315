//! A running nginx or `HAProxy` in front of a server.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    os::fd::OwnedFd,
    process::{Child, Command, Stdio},
};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::{
    net::{Certificate, Peer},
    system::process,
};

/// Running proxy with its files; a drop kills it.
#[derive(Debug)]
pub struct HttpProxy {
    child: Child,
    address: SocketAddr,
    _directory: TempDir,
}

impl Drop for HttpProxy {
    fn drop(&mut self) {
        // A kill would leave the workers of nginx behind.
        process::signal(&self.child, Signal::TERM);
        let _ = self.child.wait();
    }
}

impl HttpProxy {
    /// Starts nginx in front of the server at `upstream`, without buffers between both sides. `listen` are options of its
    /// listener, and `lines` further directives. `scheme` is that of the server. The certificate is in the file `%`.
    #[must_use]
    pub fn nginx(
        certificate: &Certificate,
        listen: &str,
        (scheme, upstream): (&str, SocketAddr),
        lines: &str,
    ) -> Self {
        let (listener, address) = listener();
        let text = format!(
            "daemon off;
            user root;
            worker_processes 1;
            pid nginx.pid;
            error_log stderr emerg;
            events {{ }}
            http {{
                access_log off;
                client_body_temp_path body;
                proxy_temp_path proxy;
                fastcgi_temp_path fastcgi;
                uwsgi_temp_path uwsgi;
                scgi_temp_path scgi;
                client_max_body_size 0;
                map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
                upstream echo {{
                    server {upstream};
                    keepalive 8;
                }}
                server {{
                    listen {address} {listen};
                    {lines}
                    location / {{ proxy_pass {scheme}://echo; }}
                    proxy_http_version 1.1;
                    proxy_request_buffering off;
                    proxy_buffering off;
                    proxy_set_header Host $http_host;
                    proxy_set_header Upgrade $http_upgrade;
                    proxy_set_header Connection $connection_upgrade;
                    proxy_set_header X-Front nginx;
                }}
            }}\n"
        );
        let mut command = Command::new("nginx");
        // As at an upgrade of its binary, it takes the listener from its parent, so no free port has to be guessed.
        command.env("NGINX", "0;").stdin(OwnedFd::from(listener));
        Self::spawn(command, &["-e", "stderr", "-c"], certificate, &text, address)
    }

    /// Starts `HAProxy` with options of its listener and of its server, and further lines. The certificate is in the
    /// file `%`.
    #[must_use]
    pub fn haproxy(certificate: &Certificate, bind: &str, server: &str, lines: &str) -> Self {
        let (listener, address) = listener();
        let text = format!(
            "defaults
                mode http
                timeout connect 30s
                timeout client 30s
                timeout server 30s
                timeout tunnel 30s
            listen echo
                bind fd@0 {bind}
                http-reuse always
                http-request set-header X-Front haproxy
                {lines}
                server echo {server}\n"
        );
        let mut command = Command::new("haproxy");
        command.stdin(OwnedFd::from(listener));
        Self::spawn(command, &["-db", "-f"], certificate, &text, address)
    }

    fn spawn(
        mut command: Command,
        args: &[&str],
        certificate: &Certificate,
        text: &str,
        address: SocketAddr,
    ) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = |name| directory.path().join(name);
        let read = |path| fs::read(path).expect("the file exists");
        let both = [read(&certificate.certificate_file), read(&certificate.key_file)].concat();
        fs::write(path("both.pem"), both).expect("the directory is writable");
        let text = text.replace('%', &path("both.pem").display().to_string());
        fs::write(path("proxy.conf"), text).expect("the directory is writable");
        command.args(args).arg(path("proxy.conf"));
        if args.contains(&"-c") {
            command.arg("-p").arg(directory.path());
        }
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("the proxy is installed");
        Self { child, address, _directory: directory }
    }

    /// Returns its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connects to it.
    #[must_use]
    pub fn connect(&self) -> Peer {
        Peer::connect(self.address)
    }
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("a bound socket has an address");
    (listener, address)
}
