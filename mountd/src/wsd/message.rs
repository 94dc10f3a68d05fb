// SPDX-License-Identifier: GPL-2.0

//! Messages of WS-Discovery (2005/04), WS-Transfer and the Devices Profile (2006/02), as far as a computer that wants to be
//! seen in Windows' network view needs them; what it says of itself is [MS-PBSD]'s.
//!
//! What comes is read with its name spaces and held to limits; a document type, which could declare entities, is refused.

use std::fmt::Write;

use quick_xml::events::Event;
use quick_xml::name::{NamespaceResolver, QName, ResolveResult};
use quick_xml::NsReader;
use uuid::Uuid;

use crate::discovery::escaped;

/// Bytes of the largest message that is read.
pub const LARGEST: usize = 32 << 10;
/// Deepest nesting of elements.
const DEEPEST: usize = 32;
/// Bytes of the longest text that is looked at.
const LONGEST: usize = 1024;

const SOAP: &str = "http://www.w3.org/2003/05/soap-envelope";
const ADDRESSING: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing";
const DISCOVERY: &str = "http://schemas.xmlsoap.org/ws/2005/04/discovery";
const EXCHANGE: &str = "http://schemas.xmlsoap.org/ws/2004/09/mex";
const PROFILE: &str = "http://schemas.xmlsoap.org/ws/2006/02/devprof";
const PUBLICATION: &str = "http://schemas.microsoft.com/windows/pub/2005/07";
const PNPX: &str = "http://schemas.microsoft.com/windows/pnpx/2005/10";
const GET: &str = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Get";
const GET_RESPONSE: &str = "http://schemas.xmlsoap.org/ws/2004/09/transfer/GetResponse";
const ANONYMOUS: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous";
/// To whom Hello and Bye are addressed.
const EVERYBODY: &str = "urn:schemas-xmlsoap-org:ws:2005:04:discovery";

/// What somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Who is there? Only if the types that are sought are all ours.
    Probe {
        /// Whether this computer is among what is sought.
        is_for_us: bool,
    },
    /// Where is this endpoint?
    Resolve(String),
    /// What is it like? (WS-Transfer)
    Get,
}

/// A message that asks for something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Its own name, which the answer repeats.
    pub id: String,
    /// What it is addressed to.
    pub to: String,
    /// What it asks for.
    pub ask: Ask,
}

/// The texts of a message that are of use.
#[derive(Default)]
struct Texts {
    action: String,
    id: String,
    to: String,
    endpoint: String,
    has_scopes: bool,
    /// `None` if a type is sought that is not ours.
    types: Option<()>,
}

/// Which of a message's texts the reader stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spot {
    Action,
    Id,
    To,
    Endpoint,
    Types,
    Scopes,
    Elsewhere,
}

/// The name of an element with its name space, for comparing.
type Name = (String, String);

fn spot(path: &[Name]) -> Spot {
    let names: Vec<(&str, &str)> = path
        .iter()
        .map(|(space, name)| (space.as_str(), name.as_str()))
        .collect();
    match names.as_slice() {
        [(SOAP, "Envelope"), (SOAP, "Header"), (ADDRESSING, "Action")] => Spot::Action,
        [(SOAP, "Envelope"), (SOAP, "Header"), (ADDRESSING, "MessageID")] => Spot::Id,
        [(SOAP, "Envelope"), (SOAP, "Header"), (ADDRESSING, "To")] => Spot::To,
        [(SOAP, "Envelope"), (SOAP, "Body"), (DISCOVERY, "Resolve"), (ADDRESSING, "EndpointReference"), (ADDRESSING, "Address")] => {
            Spot::Endpoint
        }
        [(SOAP, "Envelope"), (SOAP, "Body"), (DISCOVERY, "Probe"), (DISCOVERY, "Types")] => {
            Spot::Types
        }
        [(SOAP, "Envelope"), (SOAP, "Body"), (DISCOVERY, "Probe"), (DISCOVERY, "Scopes")] => {
            Spot::Scopes
        }
        _ => Spot::Elsewhere,
    }
}

/// Reads a message; `None` if it is none, or nothing that is answered.
pub fn parse(bytes: &[u8]) -> Option<Question> {
    if bytes.len() > LARGEST {
        return None;
    }
    let texts = read(std::str::from_utf8(bytes).ok()?)?;
    let ask = match texts.action.strip_prefix(DISCOVERY) {
        Some("/Probe") => Ask::Probe {
            // This computer is in no scope.
            is_for_us: texts.types.is_some() && !texts.has_scopes,
        },
        Some("/Resolve") => Ask::Resolve(texts.endpoint),
        _ if texts.action == GET => Ask::Get,
        _ => return None,
    };
    // Without a name it could not be answered, and it is an error. Names are URIs: XML has most control characters in no text, and
    // those have none.
    let is_name = |text: &str| !text.contains(char::is_control);
    let endpoint = match &ask {
        Ask::Resolve(endpoint) => endpoint.as_str(),
        Ask::Probe { .. } | Ask::Get => "",
    };
    let are_names = [&texts.id, &texts.to, endpoint].into_iter().all(is_name);
    (are_names && !texts.id.is_empty()).then_some(Question {
        id: texts.id,
        to: texts.to,
        ask,
    })
}

fn read(text: &str) -> Option<Texts> {
    let mut reader = NsReader::from_str(text);
    let mut texts = Texts {
        types: Some(()),
        ..Texts::default()
    };
    let mut path: Vec<Name> = Vec::new();
    let mut content = String::new();
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                if path.len() >= DEEPEST {
                    return None;
                }
                path.push(full_name(reader.resolver(), start.name())?);
                content.clear();
            }
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) => {}
            Event::Text(part) => push(&mut content, &part.decode().ok()?)?,
            Event::CData(part) => push(&mut content, &part.decode().ok()?)?,
            Event::GeneralRef(entity) => push(&mut content, &resolve(&entity)?)?,
            Event::End(_) => {
                keep(&mut texts, spot(&path), content.trim(), reader.resolver());
                content.clear();
                path.pop()?;
                if path.is_empty() {
                    return Some(texts);
                }
            }
            Event::PI(_) | Event::DocType(_) | Event::Eof => return None,
        }
    }
}

fn full_name(resolver: &NamespaceResolver, name: QName<'_>) -> Option<Name> {
    let (space, local) = resolver.resolve_element(name);
    let space = match space {
        ResolveResult::Bound(space) => std::str::from_utf8(space.as_ref()).ok()?.to_owned(),
        ResolveResult::Unbound => String::new(),
        ResolveResult::Unknown(_) => return None,
    };
    Some((space, std::str::from_utf8(local.as_ref()).ok()?.to_owned()))
}

fn push(content: &mut String, part: &str) -> Option<()> {
    (content.len() + part.len() <= LONGEST).then(|| content.push_str(part))
}

/// A character by its number, or one of the five that XML names.
fn resolve(entity: &quick_xml::events::BytesRef<'_>) -> Option<String> {
    match entity.resolve_char_ref().ok()? {
        Some(c) => Some(c.to_string()),
        None => {
            quick_xml::escape::resolve_predefined_entity(&entity.decode().ok()?).map(str::to_owned)
        }
    }
}

fn keep(texts: &mut Texts, spot: Spot, content: &str, resolver: &NamespaceResolver) {
    match spot {
        Spot::Action => content.clone_into(&mut texts.action),
        Spot::Id => content.clone_into(&mut texts.id),
        Spot::To => content.clone_into(&mut texts.to),
        Spot::Endpoint => content.clone_into(&mut texts.endpoint),
        Spot::Scopes => texts.has_scopes = !content.is_empty(),
        Spot::Types => {
            let is_ours = |name: &str| {
                full_name(resolver, QName(name.as_bytes())).is_some_and(|(space, name)| {
                    matches!(
                        (space.as_str(), name.as_str()),
                        (PROFILE, "Device") | (PUBLICATION, "Computer")
                    )
                })
            };
            texts.types = content.split_whitespace().all(is_ours).then_some(());
        }
        Spot::Elsewhere => {}
    }
}

/// What this computer is for those who look for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its lasting name among endpoints.
    pub endpoint: Uuid,
    /// Its name in the network view.
    pub name: String,
    /// Its workgroup.
    pub workgroup: String,
}

/// Writes messages, and counts them as AppSequence wants.
#[derive(Debug)]
pub struct Author {
    identity: Identity,
    /// Grows from one start of the server to the next: seconds since 1970.
    instance: u64,
    sequence: Uuid,
    number: u64,
}

impl Author {
    /// An author that has said nothing yet.
    pub fn new(identity: Identity, instance: u64) -> Self {
        Author {
            identity,
            instance,
            sequence: Uuid::new_v4(),
            number: 0,
        }
    }

    /// The endpoint as it is written in messages.
    pub fn endpoint(&self) -> String {
        self.identity.endpoint.urn().to_string()
    }

    /// Says that this computer is there, at `address`.
    pub fn hello(&mut self, address: &str) -> String {
        let body = format!("<wsd:Hello>{}</wsd:Hello>", self.place(address));
        self.discovery("Hello", EVERYBODY, None, &body)
    }

    /// Says that it goes.
    pub fn bye(&mut self) -> String {
        let body = format!("<wsd:Bye>{}</wsd:Bye>", self.reference());
        self.discovery("Bye", EVERYBODY, None, &body)
    }

    /// The answer to a question, or `None` if there is none to give. `address` is where a Get can be sent.
    pub fn answer(&mut self, question: &Question, address: &str) -> Option<String> {
        let (kind, body) = match &question.ask {
            Ask::Probe { is_for_us: true } => {
                let place = self.place(address);
                ("ProbeMatches", format!("<wsd:ProbeMatches><wsd:ProbeMatch>{place}</wsd:ProbeMatch></wsd:ProbeMatches>"))
            }
            Ask::Resolve(endpoint) if *endpoint == self.endpoint() => {
                let place = self.place(address);
                ("ResolveMatches", format!("<wsd:ResolveMatches><wsd:ResolveMatch>{place}</wsd:ResolveMatch></wsd:ResolveMatches>"))
            }
            _ => return None,
        };
        Some(self.discovery(kind, ANONYMOUS, Some(&question.id), &body))
    }

    fn reference(&self) -> String {
        format!(
            "<wsa:EndpointReference><wsa:Address>{}</wsa:Address></wsa:EndpointReference>",
            self.endpoint()
        )
    }

    fn place(&self, address: &str) -> String {
        format!(
            "{}<wsd:Types>wsdp:Device pub:Computer</wsd:Types><wsd:XAddrs>{}</wsd:XAddrs>\
             <wsd:MetadataVersion>1</wsd:MetadataVersion>",
            self.reference(),
            escaped(address)
        )
    }

    fn discovery(&mut self, kind: &str, to: &str, answers: Option<&str>, body: &str) -> String {
        self.number += 1;
        let sequence = format!(
            "<wsd:AppSequence InstanceId=\"{}\" SequenceId=\"{}\" MessageNumber=\"{}\"/>",
            self.instance,
            self.sequence.urn(),
            self.number
        );
        envelope(&format!("{DISCOVERY}/{kind}"), to, answers, &sequence, body)
    }

    /// The answer to a Get: what this computer is, [MS-PBSD] 2.
    pub fn metadata(&self, question: &Question) -> String {
        let Identity {
            name, workgroup, ..
        } = &self.identity;
        let (name, workgroup) = (escaped(name), escaped(workgroup));
        let mut body = String::from("<wsx:Metadata>");
        let mut section = |kind: &str, content: &str| {
            // Writing into a string does not fail.
            let _ = write!(
                body,
                "<wsx:MetadataSection Dialect=\"{PROFILE}/{kind}\">{content}</wsx:MetadataSection>"
            );
        };
        section("ThisDevice", &format!("<wsdp:ThisDevice><wsdp:FriendlyName>{name}</wsdp:FriendlyName><wsdp:FirmwareVersion>{}</wsdp:FirmwareVersion><wsdp:SerialNumber>1</wsdp:SerialNumber></wsdp:ThisDevice>", env!("CARGO_PKG_VERSION")));
        section("ThisModel", "<wsdp:ThisModel><wsdp:Manufacturer>ksmbd</wsdp:Manufacturer><wsdp:ModelName>ksmbd</wsdp:ModelName><pnpx:DeviceCategory>Computers</pnpx:DeviceCategory></wsdp:ThisModel>");
        section("Relationship", &format!("<wsdp:Relationship Type=\"{PROFILE}/host\"><wsdp:Host>{}<wsdp:Types>pub:Computer</wsdp:Types><wsdp:ServiceId>{}</wsdp:ServiceId><pub:Computer>{name}/Workgroup:{workgroup}</pub:Computer></wsdp:Host></wsdp:Relationship>", self.reference(), self.endpoint()));
        body.push_str("</wsx:Metadata>");
        envelope(GET_RESPONSE, ANONYMOUS, Some(&question.id), "", &body)
    }
}

fn envelope(action: &str, to: &str, answers: Option<&str>, header: &str, body: &str) -> String {
    let answers = answers
        .map(|id| format!("<wsa:RelatesTo>{}</wsa:RelatesTo>", escaped(id)))
        .unwrap_or_default();
    let id = Uuid::new_v4();
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<soap:Envelope xmlns:soap=\"{SOAP}\" xmlns:wsa=\"{ADDRESSING}\" xmlns:wsd=\"{DISCOVERY}\" \
         xmlns:wsx=\"{EXCHANGE}\" xmlns:wsdp=\"{PROFILE}\" xmlns:pnpx=\"{PNPX}\" xmlns:pub=\"{PUBLICATION}\"><soap:Header><wsa:To>{to}</wsa:To>\
         <wsa:Action>{action}</wsa:Action><wsa:MessageID>{}</wsa:MessageID>{answers}{header}</soap:Header><soap:Body>{body}</soap:Body></soap:Envelope>\n",
        id.urn()
    )
}

#[cfg(test)]
#[path = "message_tests.rs"]
pub(crate) mod tests;
