package clients

import (
	"context"
	"fmt"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/grpclog"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"lamplighter/test/internal/rig"
)

// interopCases are gRPC's own cases of interoperability: unary calls and streams,
// large messages, metadata and trailers, status details, cancellation, deadlines.
var interopCases = []interopCase{
	{"empty_unary", onService(interop.DoEmptyUnaryCall)},
	{"large_unary", onService(interop.DoLargeUnaryCall)},
	{"client_streaming", onService(interop.DoClientStreaming)},
	{"server_streaming", onService(interop.DoServerStreaming)},
	{"ping_pong", onService(interop.DoPingPong)},
	{"empty_stream", onService(interop.DoEmptyStream)},
	{"timeout_on_sleeping_server", onService(interop.DoTimeoutOnSleepingServer)},
	{"cancel_after_begin", onService(interop.DoCancelAfterBegin)},
	{"cancel_after_first_response", onService(interop.DoCancelAfterFirstResponse)},
	{"custom_metadata", onService(interop.DoCustomMetadata)},
	{"status_code_and_message", onService(interop.DoStatusCodeAndMessage)},
	{"special_status_message", onService(interop.DoSpecialStatusMessage)},
	{"unimplemented_method", func(ctx context.Context, conn *grpc.ClientConn, _ testgrpc.TestServiceClient) {
		interop.DoUnimplementedMethod(ctx, conn)
	}},
	{"unimplemented_service", func(ctx context.Context, conn *grpc.ClientConn, _ testgrpc.TestServiceClient) {
		interop.DoUnimplementedService(ctx, testgrpc.NewUnimplementedServiceClient(conn))
	}},
}

type interopCase struct {
	name string
	run  func(context.Context, *grpc.ClientConn, testgrpc.TestServiceClient)
}

func onService(run func(context.Context, testgrpc.TestServiceClient, ...grpc.CallOption)) func(context.Context, *grpc.ClientConn, testgrpc.TestServiceClient) {
	return func(ctx context.Context, _ *grpc.ClientConn, client testgrpc.TestServiceClient) { run(ctx, client) }
}

// TestGRPCInteroperability runs gRPC's own cases of interoperability, one after
// the other, while the token is replaced.
func TestGRPCInteroperability(t *testing.T) {
	t.Parallel()
	cases := make(map[*site][]interopCase)
	var sites []*site
	for _, overlap := range []string{"none", "until_expiry"} {
		is := newIssuer(t, overlap != "none")
		sites = append(sites, &site{name: "overlap " + overlap, upstream: "h2c://" + startGRPC(t, is), issuer: is, overlap: overlap, options: "\t\tprotocols h1 h2 h2c"})
	}
	for _, s := range sites {
		cases[s] = interopCases
	}
	// Here gRPC itself says that a token is dead: calls whose messages are kept are
	// made again.
	is := newIssuer(t, false)
	rejecting := &site{
		name: "rejected by a status of gRPC", upstream: "h2c://" + startGRPC(t, is), issuer: is, overlap: "until_expiry",
		options:  "\t\tprotocols h1 h2 h2c",
		settings: "\t\t\treplay_buffer 1MiB\n\t\t\trejected {\n\t\t\t\tstatus 200\n\t\t\t\theader Grpc-Status 16\n\t\t\t}",
	}
	sites, cases[rejecting] = append(sites, rejecting), interopCases[:2]
	runSites(t, sites...)
	for _, s := range sites {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			conn, err := grpc.NewClient(s.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			calls, done := 0, rotated(s)
			for calls < len(cases[s]) || !done() {
				c := cases[s][calls%len(cases[s])]
				ctx, cancel := context.WithTimeout(t.Context(), rig.Patience)
				err := caught(func() { c.run(ctx, conn, testgrpc.NewTestServiceClient(conn)) })
				cancel()
				if err != nil {
					t.Fatalf("after %d cases, %s: %v", calls, c.name, err)
				}
				calls++
			}
			t.Logf("%d cases\n%s", calls, rejections(s))
		})
	}
}

// startGRPC starts gRPC's own server for these cases, which wants a token.
func startGRPC(t *testing.T, is *issuer) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	check := func(ctx context.Context) error {
		md, _ := metadata.FromIncomingContext(ctx)
		if is.accepts(md.Get("authorization")...) {
			return nil
		}
		return status.Error(codes.Unauthenticated, "the access token is not valid")
	}
	server := grpc.NewServer(
		grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
			if err := check(ctx); err != nil {
				return nil, err
			}
			return handler(ctx, req)
		}),
		grpc.StreamInterceptor(func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
			if err := check(stream.Context()); err != nil {
				return err
			}
			return handler(srv, stream)
		}))
	testgrpc.RegisterTestServiceServer(server, interop.NewTestServer())
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return listener.Addr().String()
}

// The cases end the process when they fail, by a fatal line in gRPC's log.
func init() { grpclog.SetLoggerV2(fatal{grpclog.NewLoggerV2(discard{}, discard{}, discard{})}) }

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

// fatal is a log whose fatal lines are panics.
type fatal struct{ grpclog.LoggerV2 }

func (fatal) Fatal(args ...any)                 { panic(failed(fmt.Sprint(args...))) }
func (fatal) Fatalln(args ...any)               { panic(failed(fmt.Sprintln(args...))) }
func (fatal) Fatalf(format string, args ...any) { panic(failed(fmt.Sprintf(format, args...))) }

type failed string

// caught runs a case and returns its fatal line.
func caught(run func()) (err error) {
	defer func() {
		if line, ok := recover().(failed); ok {
			err = fmt.Errorf("%s", string(line))
		}
	}()
	run()
	return nil
}
