/* SPDX-License-Identifier: BSD-3-Clause */
/* Published test vectors of Noise_IK_25519_ChaChaPoly_BLAKE2b, all values in
 * hex, copied as data.
 *
 * The first four: Debian package golang-github-flynn-noise-dev 1.0.0-2, file
 * /usr/share/gocode/src/github.com/flynn/noise/vectors.txt, copyright 2015
 * Prime Directive, BSD-3-Clause (below).
 * The fifth: tests/vectors/cacophony.txt of github.com/mcginty/snow, commit
 * 62fbfae2c84b644a0432ce497a4a47e4fa139a2d (made by the Haskell library
 * cacophony). Its "handshake_hash" is the value of h after the first message,
 * not after the second, as hashing the published ciphertexts by hand shows.
 *
 * Redistribution and use in source and binary forms, with or without
 * modification, are permitted provided that the following conditions are
 * met:
 *
 *    * Redistributions of source code must retain the above copyright
 * notice, this list of conditions and the following disclaimer.
 *    * Redistributions in binary form must reproduce the above
 * copyright notice, this list of conditions and the following disclaimer
 * in the documentation and/or other materials provided with the
 * distribution.
 *    * Neither the name of Prime Directive, Inc. nor the names of its
 * contributors may be used to endorse or promote products derived from
 * this software without specific prior written permission.
 *
 * THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS
 * "AS IS" AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT
 * LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR
 * A PARTICULAR PURPOSE ARE DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT
 * OWNER OR CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL,
 * SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT
 * LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE,
 * DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY
 * THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT
 * (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE
 * OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE. */
#ifndef NATKIT_TEST_NOISE_IK_H
#define NATKIT_TEST_NOISE_IK_H

#include <stddef.h>

#define NOISE_IK_MESSAGES 6

/* Messages 0 and 1 are the handshake; then the sides take turns, the
 * initiator first. ciphertext is NULL after the last. */
struct noise_ik_vector {
	const char *source;
	const char *prologue;
	const char *init_static, *init_ephemeral;
	const char *resp_static, *resp_ephemeral;
	const char *hash_after_0; /* h after message 0, or NULL */
	struct {
		const char *payload, *ciphertext;
	} message[NOISE_IK_MESSAGES];
};

static const struct noise_ik_vector noise_ik_vectors[] = {
    {
	.source = "flynn/noise 1",
	.prologue = "",
	.init_static = "000102030405060708090a0b0c0d0e0f1011121314151617"
		       "18191a1b1c1d1e1f",
	.init_ephemeral = "202122232425262728292a2b2c2d2e2f3031323334353637"
			  "38393a3b3c3d3e3f",
	.resp_static = "0102030405060708090a0b0c0d0e0f101112131415161718"
		       "191a1b1c1d1e1f20",
	.resp_ephemeral = "4142434445464748494a4b4c4d4e4f505152535455565758"
			  "595a5b5c5d5e5f60",
	.message =
	    {
		{"", "358072d6365880d1aeea329adf9121383851ed21a28e3b75"
		     "e965d0d2cd16625471316e70ec2670fe80a4529101864a5d"
		     "ac3d5f9c0924e8d38cecd60c54adbaa284b6111d7779c4ee"
		     "7bb9c56da492e5a80972d99ccbf7d9068e6e90a7a73a01e9"},
		{"", "64b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188"
		     "dd128d9846d484666953a0bb0be9e3cb75769d93c5a16090"},
		{"79656c6c6f777375626d6172696e65",
		    "dc52cf04c64e4b750c00444789e41cb1abe496381a2d1b42"
		    "303b231e809437"},
		{"7375626d6172696e6579656c6c6f77",
		    "4e39fa2317aba599efd3f7a7ca1de12dfae13bc630cc8768"
		    "ce6326894fb250"},
	    },
    },
    {
	.source = "flynn/noise 2",
	.prologue = "",
	.init_static = "000102030405060708090a0b0c0d0e0f1011121314151617"
		       "18191a1b1c1d1e1f",
	.init_ephemeral = "202122232425262728292a2b2c2d2e2f3031323334353637"
			  "38393a3b3c3d3e3f",
	.resp_static = "0102030405060708090a0b0c0d0e0f101112131415161718"
		       "191a1b1c1d1e1f20",
	.resp_ephemeral = "4142434445464748494a4b4c4d4e4f505152535455565758"
			  "595a5b5c5d5e5f60",
	.message =
	    {
		{"746573745f6d73675f30",
		    "358072d6365880d1aeea329adf9121383851ed21a28e3b75"
		    "e965d0d2cd16625471316e70ec2670fe80a4529101864a5d"
		    "ac3d5f9c0924e8d38cecd60c54adbaa284b6111d7779c4ee"
		    "7bb9c56da492e5a86e5ed547305fd8e63d0c6f2932f3a5c6"
		    "42bda3b85699cfd4af02"},
		{"746573745f6d73675f31",
		    "64b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188"
		    "dd128d9846d48466b0981ce42d3aee24e400cc2d7c0851db"
		    "983a76950d68ac02018e"},
		{"79656c6c6f777375626d6172696e65",
		    "dc52cf04c64e4b750c00444789e41cb1abe496381a2d1b42"
		    "303b231e809437"},
		{"7375626d6172696e6579656c6c6f77",
		    "4e39fa2317aba599efd3f7a7ca1de12dfae13bc630cc8768"
		    "ce6326894fb250"},
	    },
    },
    {
	.source = "flynn/noise 3",
	.prologue = "6e6f74736563726574",
	.init_static = "000102030405060708090a0b0c0d0e0f1011121314151617"
		       "18191a1b1c1d1e1f",
	.init_ephemeral = "202122232425262728292a2b2c2d2e2f3031323334353637"
			  "38393a3b3c3d3e3f",
	.resp_static = "0102030405060708090a0b0c0d0e0f101112131415161718"
		       "191a1b1c1d1e1f20",
	.resp_ephemeral = "4142434445464748494a4b4c4d4e4f505152535455565758"
			  "595a5b5c5d5e5f60",
	.message =
	    {
		{"", "358072d6365880d1aeea329adf9121383851ed21a28e3b75"
		     "e965d0d2cd16625471316e70ec2670fe80a4529101864a5d"
		     "ac3d5f9c0924e8d38cecd60c54adbaa2f602a28ed62afc14"
		     "21fb6217fa8bb34ec2ffe02e3cde39a920ebf369ebc4d7e2"},
		{"", "64b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188"
		     "dd128d9846d484662b2ab0ecf235887681b76ad519b29032"},
		{"79656c6c6f777375626d6172696e65",
		    "dc52cf04c64e4b750c00444789e41cb1abe496381a2d1b42"
		    "303b231e809437"},
		{"7375626d6172696e6579656c6c6f77",
		    "4e39fa2317aba599efd3f7a7ca1de12dfae13bc630cc8768"
		    "ce6326894fb250"},
	    },
    },
    {
	.source = "flynn/noise 4",
	.prologue = "6e6f74736563726574",
	.init_static = "000102030405060708090a0b0c0d0e0f1011121314151617"
		       "18191a1b1c1d1e1f",
	.init_ephemeral = "202122232425262728292a2b2c2d2e2f3031323334353637"
			  "38393a3b3c3d3e3f",
	.resp_static = "0102030405060708090a0b0c0d0e0f101112131415161718"
		       "191a1b1c1d1e1f20",
	.resp_ephemeral = "4142434445464748494a4b4c4d4e4f505152535455565758"
			  "595a5b5c5d5e5f60",
	.message =
	    {
		{"746573745f6d73675f30",
		    "358072d6365880d1aeea329adf9121383851ed21a28e3b75"
		    "e965d0d2cd16625471316e70ec2670fe80a4529101864a5d"
		    "ac3d5f9c0924e8d38cecd60c54adbaa2f602a28ed62afc14"
		    "21fb6217fa8bb34e6e5ed547305fd8e63d0c7272edad8555"
		    "d9482a258f9fcd94b9b2"},
		{"746573745f6d73675f31",
		    "64b101b1d0be5a8704bd078f9895001fc03e8e9f9522f188"
		    "dd128d9846d48466b0981ce42d3aee24e4004d6ea9acd8a8"
		    "47242a19f3f0f4cb0976"},
		{"79656c6c6f777375626d6172696e65",
		    "dc52cf04c64e4b750c00444789e41cb1abe496381a2d1b42"
		    "303b231e809437"},
		{"7375626d6172696e6579656c6c6f77",
		    "4e39fa2317aba599efd3f7a7ca1de12dfae13bc630cc8768"
		    "ce6326894fb250"},
	    },
    },
    {
	.source = "cacophony",
	.prologue = "4a6f686e2047616c74",
	.init_static = "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a3"
		       "4c8df7ed542214d1",
	.init_ephemeral = "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a"
			  "6b0569da977c464a",
	.resp_static = "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4"
		       "c5ea9114246e4893",
	.resp_ephemeral = "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7"
			  "793d5e63da6b375b",
	.hash_after_0 = "5e19a179a87f6b55fee752f66ebe7e56f13107594a93f0b9"
			"d96358c5306426e9fa98fa56b28af63596b83e104618eea2"
			"00e6678d5d823cfd0a71a89b431a976a",
	.message =
	    {
		{"4c756477696720766f6e204d69736573",
		    "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f"
		    "879f8e3afa4c7944ba83a447b38c83e327ad936929812f62"
		    "4884847b7831e95e197b2f797088efdd2f88f1db7e1fb0e9"
		    "9c64419097af91cee64e470f4b6fcd9298ce0b56fe20f86e"
		    "13bf70439c538e3602a7127af71a29cc"},
		{"4d757272617920526f746862617264",
		    "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5b"
		    "e34069f1448088439f069b267a06b3de3ecb1043bcb098e9"
		    "af91d9c64748d998c7b47890871571"},
		{"462e20412e20486179656b",
		    "cd54383060e7a28434cca27fb1cc524cfbabeb18181589df"
		    "219d07"},
		{"4361726c204d656e676572",
		    "a856d3bf0246bfc476c655009cd1ed677b8dcc5b349ae8ef"
		    "2a05f2"},
		{"4a65616e2d426170746973746520536179",
		    "49063084b2c51f098337cb8a13739ac848f907e67cfb2cc8"
		    "a8b60586467aa02fc7"},
		{"457567656e2042f6686d20766f6e2042617765726b",
		    "8b9709d23b47e4639df7678d7a21741eba4ef1e9c6038300"
		    "1c7435549c20f9d56f30e935d3"},
	    },
    },
};

#endif
