//! `sync/apiClient.ts`: requests by `fetch`.

use bytes::Bytes;
use http_body_util::BodyExt;
use serde_json::Value;
use sync_http::client::{HttpClient, HyperClient};

/// `api`.
#[derive(Debug, Clone)]
pub(crate) struct ApiClient {
    base_url: String,
    fetch: HyperClient,
}

impl ApiClient {
    pub(crate) fn new(base_url: &str) -> Self {
        Self { base_url: base_url.to_owned(), fetch: HyperClient::new() }
    }

    /// `get(path, { params })`.
    pub(crate) async fn get(&self, path: &str, params: &[(&str, u64)]) -> Result<Value, String> {
        let params: Vec<String> = params.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let path = if params.is_empty() { path.to_owned() } else { format!("{path}?{}", params.join("&")) };
        self.request("GET", &path, Bytes::new()).await
    }

    /// `post(path, body)`.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, String> {
        self.request("POST", path, body.to_string().into()).await
    }

    /// `request`: throws unless the response is ok.
    async fn request(&self, method: &str, path: &str, body: Bytes) -> Result<Value, String> {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base_url))
            .header("Content-Type", "application/json")
            .body(body)
            .expect("the request is well formed");
        let response = self.fetch.send(request).await.map_err(|error| error.to_string())?;
        let status = response.status();
        let text = response.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
        if !status.is_success() {
            let text = String::from_utf8_lossy(&text);
            return Err(format!("API {method} {path} failed: {} {text}", status.as_u16()));
        }
        if status == http::StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&text).map_err(|error| error.to_string())
    }
}
