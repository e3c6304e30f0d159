# Shows the greeting of /etc/hello.conf and the secret's length and SHA-256: proof enough, and the secret stays in here.
secret=/run/secrets/test_key

mkdir -p /www
{
  head -n 1 /etc/hello.conf
  echo "secret: $(wc -c <$secret) bytes, sha256 $(sha256sum <$secret | cut -d ' ' -f 1)"
} >/www/index.html || exit 1
echo "started $(date -u)" >>/data/starts.log

# Process 1 hears a signal only where it asks for it.
trap 'exit 0' TERM
httpd -f -p 8080 -h /www &
wait
