//! One connection: bytes from the caller to the node and back, as long as the two may reach each other.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Cuts, Pair};

/// Bytes carried at once.
const BUFFER_BYTES: usize = 64 << 10;

/// Carries until both sides are done, or one fails.
///
/// * `pair`: who talks; `None`: not two of our nodes, and never cut.
pub(super) async fn both_ways(
    caller: TcpStream,
    node: TcpStream,
    pair: Option<Pair>,
    cuts: Cuts,
) -> io::Result<()> {
    let _ = caller.set_nodelay(true);
    let _ = node.set_nodelay(true);
    let (caller_in, caller_out) = caller.into_split();
    let (node_in, node_out) = node.into_split();
    tokio::try_join!(
        one_way(caller_in, node_out, pair.clone(), cuts.clone()),
        one_way(node_in, caller_out, pair, cuts),
    )?;
    Ok(())
}

async fn one_way(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    pair: Option<Pair>,
    mut cuts: Cuts,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        until_open(pair.as_ref(), &mut cuts).await;
        let read = from.read(&mut buffer).await;
        // also what is read, and that a side has gone, is news that a cut holds back
        until_open(pair.as_ref(), &mut cuts).await;
        match read? {
            0 => return to.shutdown().await,
            count => to.write_all(&buffer[..count]).await?,
        }
    }
}

/// Waits until the two may reach each other.
pub(super) async fn until_open(pair: Option<&Pair>, cuts: &mut Cuts) {
    if let Some(pair) = pair {
        // an error means that the proxies end, and with them this connection
        let _ = cuts.wait_for(|cuts| !cuts.contains(pair)).await;
    }
}
