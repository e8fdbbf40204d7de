use super::*;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// Answers each byte with the same byte.
fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut byte = [0];
                while stream.read_exact(&mut byte).is_ok() && stream.write_all(&byte).is_ok() {}
            });
        }
    });
    address
}

fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).unwrap()
}

/// Whether a byte comes back.
fn answers(stream: &mut TcpStream, byte: u8, wait: Duration) -> bool {
    stream.set_read_timeout(Some(wait)).unwrap();
    stream.write_all(&[byte]).unwrap();
    let mut back = [0];
    match stream.read_exact(&mut back) {
        Ok(()) => back[0] == byte,
        Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => false,
        Err(error) => panic!("{error}"),
    }
}

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(100);

struct World {
    _dir: tempfile::TempDir,
    _thread: ProxyThread,
    client: Client,
    address: SocketAddr,
}

/// A node `b` behind a proxy; this process is the node `a`.
fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let thread = ProxyThread::start(dir.path()).unwrap();
    let client = Client::new(dir.path());
    client.process("a", Some(std::process::id())).unwrap();
    let address = client.take("b", Service::Grpc, None).unwrap();
    client.lead("b", Service::Grpc, Some(echo())).unwrap();
    World {
        _dir: dir,
        _thread: thread,
        client,
        address,
    }
}

#[test]
fn a_cut_holds_bytes_back_and_healing_delivers_them() {
    let world = world();
    let mut before = connect(world.address);
    assert!(answers(&mut before, 1, LONG));
    let pair = Pair::of("b", "a");
    world.client.cut(pair.clone()).unwrap();
    assert_eq!(world.client.cuts().unwrap(), BTreeSet::from([pair.clone()]));
    assert!(!answers(&mut before, 2, SHORT), "an open connection is cut");
    let mut after = connect(world.address);
    assert!(!answers(&mut after, 3, SHORT), "a new connection is cut");
    world.client.heal(Some(pair)).unwrap();
    for (stream, byte) in [(&mut before, 2), (&mut after, 3)] {
        let mut back = [0];
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream.read_exact(&mut back).unwrap();
        assert_eq!(back[0], byte, "nothing was lost");
    }
}

#[test]
fn only_the_pair_that_is_named_is_cut() {
    let world = world();
    world.client.cut(Pair::of("b", "c")).unwrap();
    assert!(answers(&mut connect(world.address), 1, LONG));
    world.client.process("a", None).unwrap();
    world.client.process("c", Some(std::process::id())).unwrap();
    assert!(!answers(&mut connect(world.address), 1, SHORT));
    world.client.heal(None).unwrap();
    assert!(answers(&mut connect(world.address), 1, LONG));
}

#[test]
fn a_node_that_does_not_run_refuses_and_keeps_its_port() {
    let world = world();
    assert!(answers(&mut connect(world.address), 1, LONG));
    world.client.lead("b", Service::Grpc, None).unwrap();
    let refused = TcpStream::connect(world.address).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    let again = world.client.take("b", Service::Grpc, None).unwrap();
    assert_eq!(again, world.address);
    world.client.lead("b", Service::Grpc, Some(echo())).unwrap();
    assert!(answers(&mut connect(world.address), 1, LONG));
    let why = world.client.lead("x", Service::Raft, None).unwrap_err();
    assert!(why.to_string().contains("no port of x"), "{why}");
}
