//! A sync-core Transport and hub server over HTTP.
