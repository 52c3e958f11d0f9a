//! A control plane started for real in a folder of its own, and the peers that speak to it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use http_body_util::{BodyExt as _, Full};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use postern_control::config::{Limits, Tls};
use postern_control::snapshots::Validate;
use postern_control::{Config, Running, start};
use postern_link::wire::from_control::Message as To;
use postern_link::wire::from_gateway::Message as From;
use postern_link::wire::link_client::LinkClient;
use postern_link::wire::{
    Acknowledgement, Batch, FromControl, FromGateway, Hello, Kind, Record, VERSION, Welcome,
};
use prost::Message as _;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Status, Streaming};

pub const RESOURCES: &str = r"
kind: Workload
name: report
owner: data team
expires: 2100-01-01T00:00:00Z
login:
  - spiffe: spiffe://example.org/ci/report
";

/// An authority and what it has signed.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key, in PEM.
#[derive(Clone)]
pub struct Shown {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    pub fn new(name: &str) -> Authority {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().unwrap();
        Authority {
            issuer: CertifiedIssuer::self_signed(params, key).unwrap(),
        }
    }

    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    pub fn server(&self) -> Shown {
        let name = SanType::DnsName("control.test".try_into().unwrap());
        self.sign(name, ExtendedKeyUsagePurpose::ServerAuth)
    }

    pub fn gateway(&self, name: &str) -> Shown {
        self.client(&format!("spiffe://example.org/gateway/{name}"))
    }

    pub fn client(&self, uri: &str) -> Shown {
        self.sign(
            SanType::URI(uri.try_into().unwrap()),
            ExtendedKeyUsagePurpose::ClientAuth,
        )
    }

    fn sign(&self, name: SanType, usage: ExtendedKeyUsagePurpose) -> Shown {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![name];
        params.extended_key_usages = vec![usage];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Shown {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }
}

/// A control plane with its folder, which outlives its restarts.
pub struct House {
    pub folder: tempfile::TempDir,
    pub authority: Authority,
    pub limits: Limits,
    /// Else its resources are applied.
    pub follows_folder: bool,
    pub running: Option<Running>,
}

impl House {
    pub async fn start() -> House {
        House::start_with(Limits::default()).await
    }

    pub async fn start_with(limits: Limits) -> House {
        let mut house = House::closed(limits);
        house.open().await.unwrap();
        house
    }

    /// All its files, and nobody at home.
    pub fn closed(limits: Limits) -> House {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new("postern test authority");
        let server = authority.server();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("ca.pem", &authority.pem());
        write("server.pem", &server.certificate);
        write("server.key", &server.key);
        std::fs::create_dir(folder.path().join("resources")).unwrap();
        write("resources/report.yaml", RESOURCES);
        let limits = Limits {
            resources_poll_ms: 10,
            fresh_word_ms: 20,
            ..limits
        };
        House {
            folder,
            authority,
            limits,
            follows_folder: true,
            running: None,
        }
    }

    pub fn config(&self) -> Config {
        let path = |name: &str| self.folder.path().join(name);
        Config {
            name: "control".into(),
            listen_gateways: "127.0.0.1:0".parse().unwrap(),
            listen_operators: "127.0.0.1:0".parse().unwrap(),
            data: path("data"),
            resources: self.follows_folder.then(|| path("resources")),
            tls: Tls {
                certificate: path("server.pem"),
                key: path("server.key"),
                gateway_ca: path("ca.pem"),
            },
            log_origin: "postern.test/audit".into(),
            limits: self.limits.clone(),
        }
    }

    pub async fn open(&mut self) -> Result<(), postern_control::Error> {
        self.open_validating(Arc::new(|_| Ok(()))).await
    }

    pub async fn open_validating(&mut self, validate: Arc<Validate>) -> Result<(), postern_control::Error> {
        self.running = Some(start(self.config(), validate).await?);
        Ok(())
    }

    pub async fn close(&mut self) {
        self.running.take().unwrap().stop().await;
    }

    pub fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    pub fn resources(&self) -> PathBuf {
        self.folder.path().join("resources")
    }

    pub fn audit_folder(&self) -> PathBuf {
        self.folder.path().join("data/audit")
    }

    /// Waits for the first snapshot, whose record is then the log's newest.
    pub async fn snapshot(&self) -> u64 {
        let mut changes = self.running().snapshots().changes();
        let current = changes.wait_for(Option::is_some).await.unwrap().clone();
        current.unwrap().snapshot.number
    }

    pub async fn channel(&self, shown: &Shown) -> Result<Channel, tonic::transport::Error> {
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(self.authority.pem()))
            .identity(Identity::from_pem(&shown.certificate, &shown.key))
            .domain_name("control.test");
        let address = self.running().gateways_address;
        Endpoint::from_shared(format!("https://{address}"))
            .unwrap()
            .tls_config(tls)
            .unwrap()
            .connect()
            .await
    }

    /// A gateway that has said hello and been welcomed.
    pub async fn gateway(&self, name: &str) -> Gateway {
        self.gateway_holding(name, "").await.unwrap()
    }

    pub async fn gateway_holding(&self, name: &str, checkpoint: &str) -> Result<Gateway, Status> {
        let hello = Hello {
            checkpoint: checkpoint.into(),
            ..hello(name)
        };
        let mut gateway = self.stream(&self.authority.gateway(name), hello).await?;
        match gateway.next().await? {
            To::Welcome(welcome) => gateway.welcome = welcome,
            other => panic!("no welcome but {other:?}"),
        }
        Ok(gateway)
    }

    pub async fn stream(&self, shown: &Shown, hello: Hello) -> Result<Gateway, Status> {
        let channel = self
            .channel(shown)
            .await
            .map_err(|error| Status::unknown(error.to_string()))?;
        let mut client = LinkClient::new(channel).max_decoding_message_size(128 * 1024 * 1024);
        let (sender, outbound) = mpsc::channel(16);
        let name = hello.gateway.clone();
        sender
            .send(FromGateway {
                message: Some(From::Hello(hello)),
            })
            .await
            .unwrap();
        let inbound = client.exchange(ReceiverStream::new(outbound)).await?.into_inner();
        Ok(Gateway {
            name,
            sender,
            inbound,
            welcome: Welcome::default(),
        })
    }

    pub async fn ask(&self, path: &str) -> (StatusCode, Value) {
        self.request("GET", path, Some(self.running().operator_token.reveal()), "")
            .await
    }

    pub async fn good(&self, path: &str) -> Value {
        let (status, body) = self.ask(path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    pub async fn tell(&self, path: &str, body: &str) -> (StatusCode, Value) {
        self.request("POST", path, Some(self.running().operator_token.reveal()), body)
            .await
    }

    pub async fn put(&self, path: &str, over: Option<&str>, body: &str) -> (StatusCode, Value) {
        let token = self.running().operator_token.reveal();
        self.request_over("PUT", path, Some(token), over, body).await
    }

    pub async fn request(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: &str,
    ) -> (StatusCode, Value) {
        self.request_over(method, path, token, None, body).await
    }

    /// `over` is the version that `If-Match` names.
    async fn request_over(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        over: Option<&str>,
        body: &str,
    ) -> (StatusCode, Value) {
        let stream = tokio::net::TcpStream::connect(self.running().operators_address)
            .await
            .unwrap();
        let (mut client, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        let served = tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(over) = over {
            request = request.header("if-match", over);
        }
        let request = request
            .body(Full::new(bytes::Bytes::from(body.to_owned())))
            .unwrap();
        let response = client.send_request(request).await.unwrap();
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        served.abort();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }
}

pub fn hello(name: &str) -> Hello {
    Hello {
        version: VERSION,
        gateway: name.into(),
        build: "test".into(),
        ..Hello::default()
    }
}

/// The gateway's end of a stream.
#[derive(Debug)]
pub struct Gateway {
    pub name: String,
    pub sender: mpsc::Sender<FromGateway>,
    pub inbound: Streaming<FromControl>,
    pub welcome: Welcome,
}

impl Gateway {
    pub async fn next(&mut self) -> Result<To, Status> {
        let message = self.inbound.message().await?;
        let message = message.ok_or_else(|| Status::cancelled("the stream ended"))?;
        Ok(message.message.unwrap())
    }

    /// The next message that is none of those which come by themselves.
    pub async fn answer(&mut self) -> Result<To, Status> {
        loop {
            match self.next().await? {
                To::FreshWord(_) | To::Snapshot(_) => {}
                other => return Ok(other),
            }
        }
    }

    pub async fn say(&self, message: From) {
        self.sender
            .send(FromGateway {
                message: Some(message),
            })
            .await
            .unwrap();
    }

    pub async fn send(
        &mut self,
        epoch: u64,
        first_number: u64,
        records: Vec<Vec<u8>>,
    ) -> Result<Acknowledgement, Status> {
        self.say(From::Batch(Batch {
            worker: 0,
            epoch,
            first_number,
            records,
        }))
        .await;
        match self.answer().await? {
            To::Acknowledgement(acknowledgement) => Ok(acknowledgement),
            other => panic!("no acknowledgement but {other:?}"),
        }
    }

    /// Sends the records from one number to another, as `statement` makes them.
    pub async fn ship(&mut self, epoch: u64, numbers: std::ops::RangeInclusive<u64>) -> Acknowledgement {
        let first = *numbers.start();
        let name = self.name.clone();
        let records = numbers
            .map(|number| statement(&name, epoch, number).encode_to_vec())
            .collect();
        self.send(epoch, first, records).await.unwrap()
    }
}

/// Some record of a gateway.
pub fn statement(gateway: &str, epoch: u64, number: u64) -> Record {
    Record {
        number,
        time_us: 1_700_000_000_000_000 + i64::try_from(number).unwrap(),
        kind: Kind::Intent.into(),
        gateway: gateway.into(),
        epoch,
        session: vec![1; 16],
        workload: "report".into(),
        target: "orders".into(),
        text: format!("select {number}"),
        permitted: true,
        ..Record::default()
    }
}

/// Everything in a folder, copied elsewhere.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
