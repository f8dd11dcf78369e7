//! A host without async and without a framework: real HTTP requests over a `TcpListener`, answered by the pure core.
//!
//! `cargo run --example blocking_host [ADDRESS:PORT]` prints `curl` lines that work as pasted.
#![allow(clippy::print_stdout, reason = "a command prints")]

use std::collections::HashMap;
use std::error::Error;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use keygate::{
    Action, ApiKeyGrant, Clock as _, CredentialKey, DigestKeys, Grant, Lifetime, Moment, Presented, Record,
    Refusal, Resource, Rights, ServiceAccountGrant, ServiceTokenGrant, SystemClock, SystemRandom, Validity,
    header, verify,
};

type Any = Box<dyn Error>;
type Headers = Vec<(Vec<u8>, Vec<u8>)>;

struct Host {
    records: HashMap<CredentialKey, Arc<Record>>,
    keys: DigestKeys,
    clock: SystemClock,
}

/// An answer: a status, challenges and a JSON body.
struct Answer {
    status: u16,
    challenges: Vec<String>,
    body: String,
}

fn main() -> Result<(), Any> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let listener = TcpListener::bind(&address).map_err(|error| format!("{address}: {error}"))?;
    let base = format!("http://{}", listener.local_addr()?);
    let host = Arc::new(open(&base)?);
    for stream in listener.incoming() {
        let host = Arc::clone(&host);
        std::thread::spawn(move || match stream.and_then(|stream| serve(&host, stream)) {
            Ok(()) => {}
            Err(error) => eprintln!("connection: {error}"),
        });
    }
    Ok(())
}

/// Issues one credential of each kind and prints what can be done with them.
fn open(base: &str) -> Result<Host, Any> {
    let (keys, clock) = (DigestKeys::ephemeral()?, SystemClock::new());
    let now = clock.now();
    let validity = Validity::until(now.checked_add(Lifetime::hours(8)).ok_or("the end of time")?);
    let mut records = HashMap::new();
    let mut issue = |grant: Grant| -> Result<String, Any> {
        let drawn = keys.draw(grant.kind(), &SystemRandom)?;
        let record = Record::builder(drawn.key.id, grant, drawn.digest, now).validity(validity).build()?;
        records.insert(drawn.key, Arc::new(record));
        Ok(drawn.text.expose().to_owned())
    };
    let key = issue(ApiKeyGrant::new("u-17")?.into())?;
    let rights = Rights::new("acme", ["read@*/".parse()?, "*@web/*:/**".parse()?])?;
    let account = issue(ServiceAccountGrant::new(rights).into())?;
    let rights = Rights::new("acme", ["read@web/prod:/app/**".parse()?])?;
    let token = issue(ServiceTokenGrant::new("web", rights)?.into())?;

    println!("listening on {base}; paste these into another terminal (Ctrl-C ends the host):\n");
    println!("# a service token reads in its folder: 200");
    println!("curl -i -H 'Authorization: Bearer {token}' {base}/secrets/web/prod/app/db");
    println!("# and not outside: 403, and the challenge names what is missing");
    println!("curl -i -H 'Authorization: Bearer {token}' {base}/secrets/web/prod/billing");
    println!("# a service account deletes where the token may not: 200");
    println!("curl -i -X DELETE -H 'Authorization: Bearer {account}' {base}/secrets/web/prod/billing");
    println!("# an API key acts as its user on a project: 200");
    println!("curl -i -H 'X-API-KEY: {key}' {base}/projects/web");
    println!("# any credential reads its own record, without digest: 200");
    println!("curl -i -H 'X-API-KEY: {key}' {base}/credential");
    println!("# half a credential: 400");
    println!("curl -i -H 'X-API-KEY: {}' {base}/credential", key.get(..30).unwrap_or_default());
    println!("# none: 401, and a challenge for each scheme");
    println!("curl -i {base}/credential\n");
    Ok(Host { records, keys, clock })
}

fn serve(host: &Host, mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let client = stream.peer_addr()?.ip();
    let answer = match read_request(&stream)? {
        Some((method, path, headers)) => host.answer(&method, &path, &headers, client),
        None => plain(400, r#"{"error":"not an HTTP request"}"#),
    };
    // The space behind the status is the grammar's; the phrase behind the space may be left out (RFC 9112 §4).
    write!(stream, "HTTP/1.1 {} \r\n", answer.status)?;
    for (name, value) in Refusal::HEADERS {
        write!(stream, "{name}: {value}\r\n")?;
    }
    for challenge in &answer.challenges {
        write!(stream, "WWW-Authenticate: {challenge}\r\n")?;
    }
    let length = answer.body.len();
    write!(
        stream,
        "Content-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )?;
    stream.write_all(answer.body.as_bytes())
}

/// Request line and header lines, as bytes; whatever they hold is keygate's to judge. Bodies are not read.
fn read_request(stream: &TcpStream) -> std::io::Result<Option<(String, String, Headers)>> {
    let mut lines = BufReader::new(stream.take(64 * 1_024));
    // A line that does not end was cut off, by the client or by the limit: what follows it may matter.
    let mut next = || -> std::io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        lines.read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            return Ok(None);
        }
        line.pop_if(|byte| *byte == b'\r');
        Ok(Some(line))
    };
    let Some(first) = next()? else { return Ok(None) };
    let Ok(first) = std::str::from_utf8(&first) else { return Ok(None) };
    let mut words = first.split(' ');
    let (Some(method), Some(path)) = (words.next(), words.next()) else { return Ok(None) };
    let mut headers = Headers::new();
    loop {
        let Some(line) = next()? else { return Ok(None) };
        if line.is_empty() {
            return Ok(Some((method.to_owned(), path.to_owned(), headers)));
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { return Ok(None) };
        let (name, value) = line.split_at(colon);
        headers.push((name.to_vec(), value.iter().skip(1).copied().collect()));
    }
}

impl Host {
    fn answer(&self, method: &str, path: &str, headers: &Headers, client: IpAddr) -> Answer {
        let answer = self.handle(method, path, headers, client);
        if let Err(refusal) = &answer {
            // The precise reason is for the log; the answer has the public face.
            eprintln!("{method} {path}: {}, {}", refusal.status(), refusal.explain());
        }
        answer.unwrap_or_else(|refusal| Answer {
            status: refusal.status(),
            challenges: refusal.challenges().map(|challenge| challenge.to_string()).collect(),
            body: format!(r#"{{"error":"{refusal}"}}"#),
        })
    }

    fn handle(&self, method: &str, path: &str, headers: &Headers, client: IpAddr) -> Result<Answer, Refusal> {
        let presented = match header::present(headers)? {
            Presented::Credential(presented) => presented,
            Presented::AccessToken(_) => return Ok(plain(501, r#"{"error":"no access tokens here"}"#)),
        };
        // The records are a map in memory, so there is no store to spare: the guard need not be asked.
        let moment = Moment::at(self.clock.now()).client(client);
        let caller = verify(&presented, self.records.get(&presented.key()), &self.keys, moment)?
            .with_parent(|key| self.records.get(key))?;

        let action = match method {
            "GET" => Action::Read,
            "POST" => Action::Create,
            "PATCH" => Action::Update,
            "DELETE" => Action::Delete,
            _ => return Ok(plain(405, r#"{"error":"method not allowed"}"#)),
        };
        let Some(wanted) = wanted(path) else { return Ok(plain(404, r#"{"error":"not found"}"#)) };
        let wanted = wanted?;
        let permit = caller.decide(action, &wanted).or_as_user(|user| user.as_str() == "u-17")?;
        if let ("/credential", Action::Read, Some(record)) = (path, action, caller.record()) {
            return Ok(plain(200, &serde_json::to_string(&record.view()).unwrap_or_default()));
        }
        Ok(plain(200, &format!(r#"{{"permitted":"{permit}"}}"#)))
    }
}

/// `/credential`, `/projects/PROJECT` or `/secrets/PROJECT/ENVIRONMENT/FOLDER…`. Whose project it is, a real host
/// looks up in its own table: never in the request.
fn wanted(path: &str) -> Option<Result<Resource<'_>, Refusal>> {
    if path == "/credential" {
        return Some(Ok(Resource::own_credential()));
    }
    if let Some(project) = path.strip_prefix("/projects/") {
        return Some(Resource::project("acme", project));
    }
    let (project, rest) = path.strip_prefix("/secrets/")?.split_once('/')?;
    let (environment, _) = rest.split_once('/')?;
    let folder = rest.strip_prefix(environment)?;
    Some(Resource::secrets("acme", project, environment, folder))
}

fn plain(status: u16, body: &str) -> Answer {
    Answer { status, challenges: Vec::new(), body: body.to_owned() }
}
