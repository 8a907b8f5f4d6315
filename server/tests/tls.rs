//! A program that embeds the server gives it a configuration of rustls.
#![cfg(feature = "tls")]

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::Arc,
    thread,
};

use common::endpoint::Endpoint;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use server::{
    Config, Listener, Server, Tls,
    rustls::{
        ClientConfig, ClientConnection, RootCertStore, ServerConfig, Stream,
        crypto::aws_lc_rs::default_provider,
    },
};

#[test]
fn a_listener_serves_with_the_certificate_of_its_program() {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let provider = Arc::new(default_provider());
    let key = signing_key.serialize_der().try_into().unwrap();
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let mut listener = Listener::tcp("127.0.0.1", 0);
    listener.options.tls = Some(Tls::new(Arc::new(config)).unwrap());
    let mut config = Config::default();
    config.listeners = vec![listener];
    let server = Server::bind(config).unwrap();
    let (endpoints, handle) = (server.endpoints(), server.handle());
    let running = thread::spawn(|| server.run());

    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut client =
        ClientConnection::new(Arc::new(client), "localhost".try_into().unwrap()).unwrap();
    let Endpoint::Tcp(at) = &endpoints[0] else { panic!("the only listener is a TCP listener") };
    let mut socket = TcpStream::connect((&at.host[..], at.port)).unwrap();
    let mut stream = Stream::new(&mut client, &mut socket);
    stream.write_all(b"hello\nexit\n").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("the server ends its direction with a close_notify");
    assert_eq!(reply, "hello\nGoodbye!\n");
    drop(socket);

    handle.shutdown();
    let stats = running.join().expect("the server does not panic").unwrap();
    assert_eq!((stats.connections, stats.refused), (1, 0));
}
