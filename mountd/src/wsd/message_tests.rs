// SPDX-License-Identifier: GPL-2.0

//! Tests of the messages of discovery: with those that Windows sends, broken ones, and our own read back.

use super::*;
use proptest::prelude::*;

/// A Probe as Windows 10 sends it when somebody opens the network view.
pub(crate) const PROBE: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?><soap:Envelope \
    xmlns:soap=\"http://www.w3.org/2003/05/soap-envelope\" xmlns:wsa=\"http://schemas.xmlsoap.org/ws/2004/08/addressing\" \
    xmlns:wsd=\"http://schemas.xmlsoap.org/ws/2005/04/discovery\" xmlns:wsdp=\"http://schemas.xmlsoap.org/ws/2006/02/devprof\">\
    <soap:Header><wsa:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</wsa:To>\
    <wsa:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</wsa:Action>\
    <wsa:MessageID>urn:uuid:a1d05dd6-2a4a-4d1c-8f7f-0e2b1c5a9b01</wsa:MessageID></soap:Header>\
    <soap:Body><wsd:Probe><wsd:Types>wsdp:Device</wsd:Types></wsd:Probe></soap:Body></soap:Envelope>";

pub(crate) fn author() -> Author {
    let identity = Identity {
        endpoint: Uuid::from_u128(7),
        name: "HOUSE & <CO>".into(),
        workgroup: "HOME".into(),
    };
    Author::new(identity, 1_700_000_000)
}

/// A Resolve or a Get, with other prefixes and a default name space.
pub(crate) fn question(action: &str, endpoint: &str) -> String {
    format!(
        "<Envelope xmlns=\"{SOAP}\" xmlns:a=\"{ADDRESSING}\"><Header><a:To>{endpoint}</a:To><a:Action>{action}</a:Action>\
         <a:MessageID>urn:uuid:1&amp;&#50;</a:MessageID></Header><Body><Resolve xmlns=\"{DISCOVERY}\"><a:EndpointReference>\
         <a:Address> {endpoint} </a:Address></a:EndpointReference></Resolve></Body></Envelope>"
    )
}

/// The texts of all elements of this local name.
fn texts(message: &str, name: &str) -> Vec<String> {
    let mut reader = NsReader::from_str(message);
    let (mut found, mut depth, mut content) = (Vec::new(), 0, String::new());
    loop {
        match reader
            .read_event()
            .expect("our own messages are well-formed")
        {
            Event::Start(start) => {
                let (space, _) = reader.resolver().resolve_element(start.name());
                assert!(matches!(space, ResolveResult::Bound(_)), "{start:?}");
                depth += 1;
                content.clear();
            }
            Event::Text(text) => content += &text.decode().unwrap(),
            Event::GeneralRef(entity) => content += &super::resolve(&entity).unwrap(),
            Event::End(end) => {
                if end.local_name().as_ref() == name.as_bytes() {
                    found.push(content.clone());
                }
                depth -= 1;
            }
            Event::Eof => {
                assert_eq!(depth, 0);
                return found;
            }
            _ => {}
        }
    }
}

#[test]
fn a_name_with_control_characters_is_none() {
    assert!(parse(question(GET, "urn:uuid:7").as_bytes()).is_some());
    for bad in ["urn:\u{b}7", "urn:&#1;7", "urn:&#x85;7", "urn:\n7"] {
        assert_eq!(parse(question(GET, bad).as_bytes()), None, "{bad:?}");
    }
}

#[test]
fn windows_probe_is_answered() {
    let question = parse(PROBE.as_bytes()).unwrap();
    assert_eq!(question.ask, Ask::Probe { is_for_us: true });
    let answer = author()
        .answer(&question, "http://192.0.2.1:5357/x")
        .unwrap();
    assert_eq!(texts(&answer, "RelatesTo"), [question.id]);
    assert_eq!(texts(&answer, "XAddrs"), ["http://192.0.2.1:5357/x"]);
    assert_eq!(
        texts(&answer, "Action"),
        [format!("{DISCOVERY}/ProbeMatches")]
    );
    assert_eq!(texts(&answer, "Types"), ["wsdp:Device pub:Computer"]);
    assert_eq!(texts(&answer, "Address"), [author().endpoint()]);
}

#[test]
fn others_are_not_sought_as_this_computer() {
    let with = |body: &str| {
        parse(
            PROBE
                .replace("<wsd:Types>wsdp:Device</wsd:Types>", body)
                .as_bytes(),
        )
    };
    let is_for_us = |body: &str| with(body).unwrap().ask == Ask::Probe { is_for_us: true };
    assert!(is_for_us("") && is_for_us("<wsd:Types/>") && is_for_us("<wsd:Types></wsd:Types>"));
    assert!(is_for_us("<d:Types xmlns:d=\"http://schemas.xmlsoap.org/ws/2005/04/discovery\" xmlns:p=\"http://schemas.microsoft.com/windows/pub/2005/07\">wsdp:Device p:Computer</d:Types>"));
    for body in [
        "<wsd:Types>wsdp:Printer</wsd:Types>",
        "<wsd:Types>wsa:Device</wsd:Types>",
        "<wsd:Types>nowhere:Device</wsd:Types>",
        "<wsd:Types>wsdp:Device wsdp:Printer</wsd:Types>",
        "<wsd:Scopes>ldap:///ou=x</wsd:Scopes>",
    ] {
        assert!(!is_for_us(body), "{body}");
    }
    let printer = with("<wsd:Types>wsdp:Printer</wsd:Types>").unwrap();
    assert_eq!(author().answer(&printer, "x"), None);
}

#[test]
fn resolves_itself_alone() {
    let action = format!("{DISCOVERY}/Resolve");
    let mine = parse(question(&action, &author().endpoint()).as_bytes()).unwrap();
    assert_eq!(mine.id, "urn:uuid:1&2");
    let answer = author().answer(&mine, "http://[fe80::1]:5357/x").unwrap();
    assert_eq!(texts(&answer, "RelatesTo"), ["urn:uuid:1&2"]);
    assert_eq!(texts(&answer, "XAddrs"), ["http://[fe80::1]:5357/x"]);
    let other = parse(question(&action, "urn:uuid:8").as_bytes()).unwrap();
    assert_eq!(author().answer(&other, "x"), None);
}

#[test]
fn says_who_it_is() {
    let get = parse(question(GET, &author().endpoint()).as_bytes()).unwrap();
    assert_eq!(
        (get.ask.clone(), get.to.clone()),
        (Ask::Get, author().endpoint())
    );
    assert_eq!(author().answer(&get, "x"), None, "not by UDP");
    let answer = author().metadata(&get);
    assert_eq!(texts(&answer, "Computer"), ["HOUSE & <CO>/Workgroup:HOME"]);
    assert_eq!(texts(&answer, "FriendlyName"), ["HOUSE & <CO>"]);
    assert_eq!(texts(&answer, "DeviceCategory"), ["Computers"]);
    assert_eq!(texts(&answer, "Action"), [GET_RESPONSE]);
}

#[test]
fn greets_and_leaves_in_order() {
    let mut author = author();
    let (hello, bye) = (author.hello("http://192.0.2.1:5357/x"), author.bye());
    assert_eq!(texts(&hello, "To"), [EVERYBODY]);
    assert_eq!(texts(&hello, "Action"), [format!("{DISCOVERY}/Hello")]);
    assert_eq!(texts(&bye, "Action"), [format!("{DISCOVERY}/Bye")]);
    assert_ne!(texts(&hello, "MessageID"), texts(&bye, "MessageID"));
    assert!(hello.contains("InstanceId=\"1700000000\"") && hello.contains("MessageNumber=\"1\""));
    assert!(bye.contains("MessageNumber=\"2\""));
}

#[test]
fn what_is_broken_is_not_answered() {
    let long = PROBE.replace("wsdp:Device<", &format!("{}<", "wsdp:Device ".repeat(200)));
    let large = PROBE.replace(
        "<wsd:Probe>",
        &format!("<!--{}--><wsd:Probe>", "x".repeat(LARGEST)),
    );
    let deep = PROBE.replace("<wsd:Probe>", &"<x>".repeat(40));
    for bad in [
        "",
        "<",
        "GET / HTTP/1.1",
        &PROBE[..PROBE.len() - 20],
        &PROBE.replace("urn:uuid:a1d05dd6-2a4a-4d1c-8f7f-0e2b1c5a9b01", ""),
        &PROBE.replace("discovery/Probe<", "discovery/Hello<"),
        &PROBE.replace(
            "<soap:Header>",
            "<!DOCTYPE x [<!ENTITY y \"z\">]><soap:Header>",
        ),
        &PROBE.replace("wsdp:Device<", "&y;<"),
        &PROBE.replace("</wsd:Probe>", "</wsd:Prob>"),
        &PROBE.replace("<wsd:Probe>", "<unbound:Probe>"),
        &long,
        &large,
        &deep,
    ] {
        assert_eq!(parse(bad.as_bytes()), None, "{bad}");
    }
    assert_eq!(parse(&[0xff, 0xfe, b'<']), None);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn a_message_changed_anywhere_is_read_without_harm(place in 0usize..700, byte in any::<u8>(), cut in 0usize..900) {
        let mut bytes = PROBE.as_bytes().to_vec();
        if let Some(at) = bytes.get_mut(place) {
            *at = byte;
        }
        bytes.truncate(cut);
        let _ = parse(&bytes);
    }

    #[test]
    fn whatever_the_names_are_the_answer_is_well_formed(name in "\\PC{0,20}", group in "\\PC{0,20}", id in "\\PC{1,40}") {
        let identity = Identity { endpoint: Uuid::from_u128(7), name: name.clone(), workgroup: group.clone() };
        let question = Question { id: id.clone(), to: String::new(), ask: Ask::Get };
        let answer = Author::new(identity, 1).metadata(&question);
        prop_assert_eq!(texts(&answer, "RelatesTo"), [id]);
        prop_assert_eq!(texts(&answer, "Computer"), [format!("{name}/Workgroup:{group}")]);
    }
}
