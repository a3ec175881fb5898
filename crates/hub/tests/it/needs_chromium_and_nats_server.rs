//! The example `rooms`, in Chromium.

use fullduplex_lab::broker::{Broker, BrokerKind};
use fullduplex_lab::page::Page;

#[path = "../../examples/rooms.rs"]
#[allow(dead_code, reason = "the test serves by itself")]
mod rooms;

/// Starts a node, and returns its address.
async fn node(broker: &Broker) -> String {
    let (address, serving) = rooms::start("127.0.0.1:0", Some(broker.url())).await.unwrap();
    tokio::spawn(serving);
    address.to_string()
}

/// Returns a condition: the column shows these lines, without the notes.
fn shows(column: usize, lines: &[&str]) -> String {
    format!(
        "[...document.querySelectorAll('section')[{column}].querySelectorAll('li.message')]
            .map((line) => line.textContent).join() === {:?}",
        lines.join(",")
    )
}

fn say(column: usize, text: &str) -> String {
    format!(
        "(() => {{
            const column = document.querySelectorAll('section')[{column}];
            column.querySelector('input').value = {text:?};
            column.querySelector('button').click();
        }})()"
    )
}

/// HUB-1, HUB-3: a page with a column for each of two nodes. One column is cut off, and comes back by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs chromium and nats-server"]
async fn two_nodes_are_one_room_and_a_column_recovers() {
    let broker = Broker::start(BrokerKind::Nats);
    let (one, other) = (node(&broker).await, node(&broker).await);
    let mut page = Page::open(&format!("http://{one}/lobby#{other}")).await;
    for column in 0..2 {
        page.wait_for(&format!(
            "document.querySelectorAll('section')[{column}].querySelector('li')"
        ))
        .await;
    }
    page.run(&say(0, "hello")).await;
    page.wait_for(&shows(1, &["hello"])).await;
    page.run(&say(1, "hello back")).await;
    for column in 0..2 {
        page.wait_for(&shows(column, &["hello", "hello back"])).await;
    }
    page.run("document.querySelectorAll('section')[1].socket.close()").await;
    page.run(&say(0, "while away")).await;
    page.run(&say(0, "again")).await;
    for column in 0..2 {
        page.wait_for(&shows(column, &["hello", "hello back", "while away", "again"])).await;
    }
    assert_eq!(page.complaints, Vec::<serde_json::Value>::new());
}
