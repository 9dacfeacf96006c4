//! Serve all services over h2c on one loopback port: `services PORT`.

mod everything;
mod interpreter;
mod operations;
mod outside;
mod step;

use std::net::Ipv4Addr;

use restate_sdk::http_server::HttpServer;

#[tokio::main]
async fn main() {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok());
    let port: u16 = port.expect("the port to serve on is the only argument");
    HttpServer::new(everything::endpoint())
        .listen_and_serve((Ipv4Addr::LOCALHOST, port).into())
        .await;
}
