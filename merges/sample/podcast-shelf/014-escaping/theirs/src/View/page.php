<?php

namespace Shelf\View;

function card(object $show): string
{
    $link = '/show/' . slug($show->title);
    $title = $show->title;
    $words = e($show->description);
    $count = counted(count($show->episodes), 'episode');
    $cover = "/covers/{$show->id}.webp";
    $image = "<img src=\"$cover\" alt=\"\" loading=\"lazy\">";
    $head = "<h2><a href=\"$link\">$title</a></h2>";

    return "<article class=\"card\">$image$head<p>$words</p><small>$count</small></article>";
}
