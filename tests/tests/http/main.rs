//! HTTP and WebSocket: other programs as clients and proxies, the client of this project, and the page in a browser.

mod behind_proxies;
mod client;
mod deployed;
mod page;
mod peers;
mod requests;
mod rooms_page;
mod smuggling;
mod websocket;
