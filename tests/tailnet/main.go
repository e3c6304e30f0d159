// Command tailnet is what a tailnet on one machine needs beside its nodes: Tailscale's own test control server, one
// DERP relay and one STUN responder, all on one address, and a door through which a test changes the tailnet.
//
//	tailnet -ip ADDRESS -folder FOLDER
//
// Nodes join at http://ADDRESS:8080. Each gets a user of its own, numbered as they come: node 1 is 100.64.0.1 and belongs
// to user 1, whose login name is user-1@fake-control.example.net. The door is the Unix socket FOLDER/door, out of the
// nodes' reach; it speaks HTTP:
//
//	GET /nodes            all nodes, as JSON of tailcfg.Node
//	PATCH /nodes/ADDRESS  sets the fields of tailcfg.Node that the body names: {"Tags":["tag:ci"]}, {"User":1}, {"Sharer":3}
//	PUT /grants           the app capabilities that every node has on every other: {"example.com/cap/x":[{"a":1}]}
//
// Every change reaches all nodes at once.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"

	"tailscale.com/derp/derpserver"
	"tailscale.com/net/stunserver"
	"tailscale.com/tailcfg"
	"tailscale.com/tstest/integration/testcontrol"
	"tailscale.com/types/key"
)

const (
	controlPort = 8080
	relayPort   = 8443
	stunPort    = 3478
	bodyLimit   = 1 << 16
)

type tailnet struct {
	control *testcontrol.Server
}

func main() {
	ip := flag.String("ip", "", "the `address` that nodes reach")
	folder := flag.String("folder", ".", "the `folder` that gets the door")
	flag.Parse()
	// A socket's whole path may be longer than the kernel takes.
	if err := os.Chdir(*folder); err != nil {
		log.Fatal(err)
	}

	serveRelay(*ip)
	serveStun(*ip)
	t := &tailnet{control: &testcontrol.Server{
		Logf:            log.Printf,
		ExplicitBaseURL: fmt.Sprintf("http://%s:%d", *ip, controlPort),
		MagicDNSDomain:  "tail-test.ts.net",
		DNSConfig:       &tailcfg.DNSConfig{Proxied: true},
		DERPMap:         relayMap(*ip),
		AllOnline:       true,
	}}
	// Whoever sees the door may count on the rest.
	control := listen("tcp", fmt.Sprintf("%s:%d", *ip, controlPort))
	go func() { log.Fatal(http.Serve(listen("unix", "door"), t.doorRoutes())) }()
	log.Fatal(http.Serve(control, t.control))
}

func listen(network, address string) net.Listener {
	listener, err := net.Listen(network, address)
	if err != nil {
		log.Fatal(err)
	}
	return listener
}

// The relay speaks TLS only; its certificate is one that nobody checks (InsecureForTests).
func serveRelay(ip string) {
	relay := httptest.NewUnstartedServer(derpserver.Handler(derpserver.New(key.NewNode(), log.Printf)))
	relay.Listener = listen("tcp", fmt.Sprintf("%s:%d", ip, relayPort))
	relay.StartTLS()
}

func serveStun(ip string) {
	stun := stunserver.New(context.Background())
	if err := stun.Listen(fmt.Sprintf("%s:%d", ip, stunPort)); err != nil {
		log.Fatal(err)
	}
	go stun.Serve()
}

func relayMap(ip string) *tailcfg.DERPMap {
	node := &tailcfg.DERPNode{
		Name: "one", RegionID: 1, HostName: ip, IPv4: ip, IPv6: "none",
		DERPPort: relayPort, STUNPort: stunPort, InsecureForTests: true,
	}
	region := &tailcfg.DERPRegion{RegionID: 1, RegionCode: "here", RegionName: "Here", Nodes: []*tailcfg.DERPNode{node}}
	return &tailcfg.DERPMap{Regions: map[int]*tailcfg.DERPRegion{1: region}}
}

func (t *tailnet) doorRoutes() http.Handler {
	routes := http.NewServeMux()
	routes.HandleFunc("GET /nodes", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(t.control.AllNodes())
	})
	routes.HandleFunc("PATCH /nodes/{address}", t.patchNode)
	routes.HandleFunc("PUT /grants", t.putGrants)
	return routes
}

func (t *tailnet) patchNode(w http.ResponseWriter, r *http.Request) {
	node := t.nodeAt(r.PathValue("address"))
	if node == nil {
		http.Error(w, "no node has this address", http.StatusNotFound)
		return
	}
	if decode(w, r, node) {
		t.control.UpdateNode(node)
	}
}

func (t *tailnet) putGrants(w http.ResponseWriter, r *http.Request) {
	var grants tailcfg.PeerCapMap
	if decode(w, r, &grants) {
		t.control.SetGlobalAppCaps(grants)
	}
}

func (t *tailnet) nodeAt(address string) *tailcfg.Node {
	wanted, err := netip.ParseAddr(address)
	if err != nil {
		return nil
	}
	for _, node := range t.control.AllNodes() {
		for _, prefix := range node.Addresses {
			if prefix.Addr() == wanted {
				return node
			}
		}
	}
	return nil
}

// decode reads a body into what is there already, so that what it does not name stays; a misspelt name is an error.
func decode(w http.ResponseWriter, r *http.Request, into any) bool {
	reader := json.NewDecoder(http.MaxBytesReader(w, r.Body, bodyLimit))
	reader.DisallowUnknownFields()
	if err := reader.Decode(into); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return false
	}
	return true
}
