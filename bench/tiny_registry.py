"""A registry for a benchmark's own images, on loopback, in this process: it answers what a pull asks for, GET and HEAD."""

import hashlib
import json
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class TinyRegistry:
    def __init__(self):
        self.blobs = {}  # digest: (bytes, media type)
        self.tags = {}   # "name:tag": digest
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.host = "127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def add(self, content, media_type):
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        self.blobs[digest] = (content, media_type)
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    def add_layer(self, name, tar):
        """An image of one layer, without compression."""
        layer = self.add(Path(tar).read_bytes(), "application/vnd.oci.image.layer.v1.tar")
        config = {"architecture": "amd64", "os": "linux", "config": {"Env": ["PATH=/bin"]},
                  "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}}
        config = self.add(json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json")
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
        self.tags[name] = self.add(json.dumps(manifest).encode(), MANIFEST)["digest"]
        return f"{self.host}/{name}"

    def add_archive(self, name, archive):
        """An OCI archive with one image, or one index of images."""
        with tarfile.open(archive) as tar:
            files = {member.name.lstrip("./"): tar.extractfile(member).read() for member in tar if member.isfile()}
        top = json.loads(files["index.json"])["manifests"][0]
        for path, content in files.items():
            if path.startswith("blobs/"):
                self.add(content, self._media_type(content))
        self.tags[name] = top["digest"]
        return f"{self.host}/{name}"

    @staticmethod
    def _media_type(content):
        try:
            return json.loads(content).get("mediaType", MANIFEST)
        except (ValueError, AttributeError):
            return "application/octet-stream"

    def _handler(self):
        registry = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def find(self):
                """The content of /v2/NAME/manifests/REFERENCE and /v2/NAME/blobs/DIGEST."""
                path = self.path.partition("?")[0]
                if path == "/v2/":
                    return b"{}", "application/json"
                name, _, reference = path.removeprefix("/v2/").rpartition("/")
                name = name.rpartition("/")[0]
                return registry.blobs.get(registry.tags.get(f"{name}:{reference}", reference))

            def answer(self, body):
                content, media_type = self.find() or (b"{}", None)
                self.send_response(200 if media_type else 404)
                self.send_header("Content-Type", media_type or "application/json")
                self.send_header("Content-Length", str(len(content)))
                if media_type:
                    self.send_header("Docker-Content-Digest", "sha256:" + hashlib.sha256(content).hexdigest())
                self.end_headers()
                if body:
                    self.wfile.write(content)

            def do_GET(self):
                self.answer(True)

            def do_HEAD(self):
                self.answer(False)

            def log_message(self, *_):
                pass

        return Handler
