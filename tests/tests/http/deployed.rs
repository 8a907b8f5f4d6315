//! The files of proxies in `docs/deploy/`, with a browser's requests: they reach the server, and it accepts them.
//!
//! Only addresses, the paths of certificates and the number of connections are replaced.

use std::{fs, os::unix::net::UnixStream, process::Command};

use tempfile::TempDir;
use tests::{
    deployment,
    net::TestCa,
    programs::{EchoServer, Program},
    requirements::{haproxy, nginx, python_module, skip_without},
    wait::wait_until,
};

const NAME: &str = "echo.example.com";

const PAGE: &str = include_str!("programs/page_client.py");

/// A file of a proxy with what it needs.
struct Deployed {
    directory: TempDir,
    ca: TestCa,
    text: String,
    server: EchoServer,
}

impl Deployed {
    /// Starts the server with the command in the first lines of the file. `upstream` is its address there.
    fn new(name: &str, upstream: &str) -> Self {
        let text = deployment::text(name);
        let listen = deployment::find(&text, r"^# +echo-server --listen '(.*)'$");
        let listen = listen.replace(upstream, "127.0.0.1:0");
        let server = EchoServer::start_with(&["--listen", &listen, "--log-messages", "off"]);
        let text = text.replace(upstream, &server.address().to_string());
        let directory = tempfile::tempdir().expect("a temporary directory");
        Self { directory, ca: TestCa::new(), text, server }
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().expect("the path is UTF-8").to_owned()
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        fs::write(&path, text).expect("the directory is writable");
        path
    }

    /// Replaces a line, which the file has.
    fn replace(&mut self, line: &str, by: &str) {
        assert!(self.text.contains(line), "{line}");
        self.text = self.text.replace(line, by);
    }

    /// Writes the certificate and the key of the name into one file each and into a common one.
    fn certificate(&self) -> [String; 3] {
        let made = self.ca.issue(&[NAME], (2020, 4000));
        let [chain, key] = [made.certificate_file, made.key_file]
            .map(|file| fs::read_to_string(file).expect("the file exists"));
        let both = format!("{chain}{key}");
        [("chain", chain), ("key", key), ("both", both)].map(|(name, text)| self.write(name, text))
    }

    /// Runs the proxy and requests what a browser requests.
    fn try_with(&self, mut proxy: Command) {
        let socket = self.path("socket");
        proxy.current_dir(self.directory.path());
        let proxy = Program::spawn(proxy);
        wait_until("the proxy listens", || UnixStream::connect(&socket).is_ok());
        let script = self.write("script", PAGE);
        let mut python = Command::new("python3");
        python.arg(script).arg(&socket).arg(self.ca.file()).arg(NAME);
        let ended = Program::spawn(python).finish();
        assert_eq!(ended.code(), 0, "{ended:?}");
        drop(proxy);
        let log = self.server.log().text();
        assert!(!log.contains("WARNING"), "{log}");
        let seen = ended.stdout_text();
        assert!(seen.contains(&format!("\"{NAME}\"")), "{seen}");
    }
}

#[test]
fn a_browser_uses_the_page_through_nginx_as_deployed() {
    if skip_without(&[nginx(), python_module("websockets", "websockets")]) {
        return;
    }
    let mut deployed = Deployed::new("nginx.conf", "127.0.0.1:8080");
    let [chain, key, _] = deployed.certificate();
    let socket = deployed.path("socket");
    deployed.replace("listen 443 ssl;", &format!("listen unix:{socket} ssl;"));
    deployed.replace("    listen [::]:443 ssl;\n", "");
    deployed.replace("/etc/ssl/echo.pem", &chain);
    deployed.replace("/etc/ssl/echo.key", &key);
    let site = deployed.write("site.conf", &deployed.text);
    let main = format!(
        "daemon off; master_process off; pid nginx.pid; error_log stderr emerg;
        events {{ }}
        http {{
            access_log off;
            client_body_temp_path body; proxy_temp_path proxy;
            fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
            include {site};
        }}"
    );
    let main = deployed.write("nginx.conf", main);
    let mut nginx = Command::new("nginx");
    nginx.args(["-e", "stderr", "-p"]).arg(deployed.directory.path()).args(["-c", &main]);
    deployed.try_with(nginx);
}

#[test]
fn a_browser_uses_the_page_through_haproxy_as_deployed() {
    if skip_without(&[haproxy(), python_module("websockets", "websockets")]) {
        return;
    }
    let mut deployed = Deployed::new("haproxy-http.cfg", "192.0.2.11:8080");
    let [_, _, both] = deployed.certificate();
    let socket = deployed.path("socket");
    // A machine for tests may allow fewer descriptors.
    deployed.replace("maxconn 20000", "maxconn 100");
    deployed.replace("bind [::]:443 v4v6 ssl", &format!("bind unix@{socket} ssl"));
    deployed.replace("/etc/haproxy/echo.pem", &both);
    deployed.replace("    server echo-2 192.0.2.12:8080\n", "");
    let file = deployed.write("haproxy.cfg", &deployed.text);
    let mut haproxy = Command::new("haproxy");
    haproxy.args(["-db", "-f", &file]);
    deployed.try_with(haproxy);
}

/// The ingress ends TLS, like the proxies above.
#[test]
fn the_ingress_names_the_host_and_the_listener_of_the_server() {
    let text = deployment::text("kubernetes-http.yaml");
    let listen = deployment::find(&text, "^# +- (--listen=.*)$");
    let checked = Program::run_server(&["config", "check", listen]);
    assert_eq!(checked.code(), 0, "{checked:?}");
    let host = deployment::find(&text, "^ +- host: (.*)$");
    assert_eq!(host, deployment::find(&text, r"^ +- hosts: \[(.*)\]$"));
    assert!(listen.ends_with(&format!("?hosts={host}&origins=https://{host}")), "{listen}");
    let service = deployment::find(&text, "^  name: (.*-http)$");
    assert_eq!(service, deployment::find(&text, "^ +name: (echo-server-http)\n +port:$"));
}
