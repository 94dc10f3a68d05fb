// SPDX-License-Identifier: GPL-2.0

//! What reaches the daemon from whoever is on the network, where it is told to be found: WS-Discovery over UDP and HTTP.

use std::sync::OnceLock;

use ksmbd_mountd::discovery::escaped;
use ksmbd_mountd::wsd::http;
use ksmbd_mountd::wsd::message::{self, Ask, Author, Identity, Question};

use crate::choice;

const SOAP: &str = "http://www.w3.org/2003/05/soap-envelope";
const ADDRESSING: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing";
const DISCOVERY: &str = "http://schemas.xmlsoap.org/ws/2005/04/discovery";
const PROFILE: &str = "http://schemas.xmlsoap.org/ws/2006/02/devprof";
const GET: &str = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Get";
/// Where a description is asked for.
const PATH: &str = "/00000000-0000-0000-0000-000000000007";

fn author() -> Author {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    let identity = IDENTITY.get_or_init(|| Identity {
        endpoint: PATH[1..].parse().expect("an endpoint"),
        name: "HOUSE & <CO>".into(),
        workgroup: "HOME".into(),
    });
    Author::new(identity.clone(), 1)
}

fn envelope(action: &str, id: &str, to: &str, body: &str) -> String {
    format!(
        "<s:Envelope xmlns:s=\"{SOAP}\" xmlns:a=\"{ADDRESSING}\" xmlns:d=\"{DISCOVERY}\" xmlns:p=\"{PROFILE}\"><s:Header>\
         <a:To>{to}</a:To><a:Action>{action}</a:Action><a:MessageID>{id}</a:MessageID></s:Header><s:Body>{body}</s:Body></s:Envelope>"
    )
}

/// The same question in the fewest words.
fn written(question: &Question) -> String {
    let (action, body) = match &question.ask {
        Ask::Probe { is_for_us: true } => (format!("{DISCOVERY}/Probe"), String::new()),
        Ask::Probe { is_for_us: false } => (
            format!("{DISCOVERY}/Probe"),
            "<d:Probe><d:Types>other</d:Types></d:Probe>".to_owned(),
        ),
        Ask::Resolve(endpoint) => (
            format!("{DISCOVERY}/Resolve"),
            format!(
                "<d:Resolve><a:EndpointReference><a:Address>{}</a:Address></a:EndpointReference></d:Resolve>",
                escaped(endpoint)
            ),
        ),
        Ask::Get => (GET.to_owned(), String::new()),
    };
    envelope(
        &action,
        &escaped(&question.id),
        &escaped(&question.to),
        &body,
    )
}

/// A message, or where the first byte is odd the head of a request over HTTP.
pub fn discovery(data: &[u8]) {
    let Some((kind, bytes)) = choice(data) else {
        return;
    };
    if kind & 1 != 0 {
        return head(bytes);
    }
    let Some(question) = message::parse(bytes) else {
        return;
    };
    assert_eq!(
        message::parse(written(&question).as_bytes()).as_ref(),
        Some(&question),
        "a question means the same in other words"
    );
    let mut author = author();
    let address = "http://192.0.2.1:5357/x";
    let answers = author.answer(&question, address);
    for answer in answers.into_iter().chain([author.metadata(&question)]) {
        // As much as the name that it repeats, and what is said anyway.
        assert!(answer.len() < 16 << 10, "{} bytes", answer.len());
        assert_eq!(
            message::parse(answer.as_bytes()),
            None,
            "an answer is no question"
        );
    }
}

/// What follows a head changes nothing about it.
fn head(bytes: &[u8]) {
    let Ok(Some(found)) = http::head(bytes, PATH) else {
        return;
    };
    assert!(found.size <= bytes.len() && found.body <= message::LARGEST);
    let again = http::head(&bytes[..found.size], PATH);
    assert_eq!(again, Ok(Some(found)));
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let id = "urn:uuid:a1d05dd6-2a4a-4d1c-8f7f-0e2b1c5a9b01";
    let everybody = "urn:schemas-xmlsoap-org:ws:2005:04:discovery";
    let endpoint = "urn:uuid:00000000-0000-0000-0000-000000000007";
    let resolve = format!(
        "<d:Resolve><a:EndpointReference><a:Address> {endpoint} </a:Address></a:EndpointReference></d:Resolve>"
    );
    let messages = [
        envelope(
            &format!("{DISCOVERY}/Probe"),
            id,
            everybody,
            "<d:Probe><d:Types>p:Device</d:Types></d:Probe>",
        ),
        envelope(
            &format!("{DISCOVERY}/Probe"),
            id,
            everybody,
            "<d:Probe><d:Types>p:Other d:x</d:Types><d:Scopes>urn:here</d:Scopes></d:Probe>",
        ),
        envelope(&format!("{DISCOVERY}/Resolve"), id, everybody, &resolve),
        envelope(
            GET,
            "urn:uuid:1&amp;&#50;&#x33;",
            endpoint,
            "<!-- nothing --><![CDATA[<x>]]>",
        ),
        "<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY y \"z\">]><x>&y;</x>".to_owned(),
    ];
    let heads = [
        "Content-Type: application/soap+xml; charset=utf-8\r\nContent-Length: 30\r\n",
        "content-type:application/soap+xml\r\nTransfer-Encoding: chunked\r\n",
        "Content-Type: text/xml\r\nContent-Length: 99999999999999999999\r\nContent-Length: 1\r\n",
    ];
    let heads = heads.map(|fields| format!("POST {PATH} HTTP/1.1\r\nHost: x\r\n{fields}\r\n<s/>"));
    let seed = |first: u8, text: &String| [&[first], text.as_bytes()].concat();
    let messages = messages.iter().map(|text| seed(0, text));
    messages
        .chain(heads.iter().map(|text| seed(1, text)))
        .collect()
}
