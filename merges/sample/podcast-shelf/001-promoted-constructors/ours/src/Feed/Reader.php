<?php

declare(strict_types=1);

namespace Shelf\Feed;

/** Reads the feed of a show. */
final class Reader
{
    private $http;
    private $tags = [];

    /** @return list<Episode> */
    public function read(string $url): array
    {
        $answer = $this->http->get($url, $this->tags[$url] ?? []);
        $feed = simplexml_load_string($answer->body);
        if ($feed === false) {
            throw new BrokenFeed($url);
        }

        return array_map([$this, 'episode'], iterator_to_array($feed->channel->item, false));
    }
}
